"""The spool and its feed: what was released is in the books soon, once, whoever dies. The database is away while
another process holds its write lock."""

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.metering.test_meter import PRICE, USAGE, open_request, price_id_of, record

from servery.billing.rating import rate
from servery.billing.spending import OPERATOR, Spending
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import InternalError, Overloaded
from servery.core.usage import Usage
from servery.core.value import changed
from servery.metering.feed import Feed
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.posting import Posting, posting
from servery.metering.refused_postings import RefusedPostings
from servery.metering.spool import Spool, orphaned_spools, spool_directory
from servery.metering.spool_contents import SpoolContents, SpooledPostings
from servery.metering.spool_progress import wait_fed
from servery.metering.usage_table import UsageTable
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.limits import StoreLimits
from servery.store.log_contents import log_files
from servery.store.log_limits import LogLimits

CHARGE = rate(USAGE, PRICE)
SMALL = LogLimits(segment_bytes=65_536, frame_bytes=32_768)
PATIENT = StoreLimits(commit_timeout_s=60.0, stall_s=60.0, busy_timeout_s=60.0)
HURRIED = StoreLimits(commit_timeout_s=2.5, stall_s=1.0, busy_timeout_s=5.0)
"""For what is about a database that is away: long enough for one that is there on a busy machine."""


@contextmanager
def away(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.fixture
def limits() -> StoreLimits:
    return PATIENT


@pytest.fixture
async def database(path: Path, limits: StoreLimits) -> AsyncIterator[Database]:
    async with Database.open(path, limits=limits) as database:
        yield database


@pytest.fixture
def spending(database: Database, clock: ManualClock) -> Spending:
    return Spending(database, clock, writer=OPERATOR)


@pytest.fixture
def table(spending: Spending) -> UsageTable:
    return UsageTable(spending)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return spool_directory(tmp_path / "spool", 0)


@pytest.fixture
async def spool(place: Path) -> AsyncIterator[Spool]:
    spool = Spool.open(place, most=3, limits=SMALL)
    yield spool
    await spool.close()


@pytest.fixture
async def feed(spool: Spool, database: Database, table: UsageTable) -> AsyncIterator[Feed]:
    feed = Feed(spool, database, table, interval_s=0.01, retry_s=0.01)
    yield feed
    await feed.close()


@pytest.fixture
def meter(database: Database, clock: ManualClock, journal: Journal, spending: Spending, spool: Spool) -> Meter:
    return Meter(database, clock, journal, spending, spool)


@pytest.fixture
def patient_meter(database: Database, clock: ManualClock, journal: Journal, spending: Spending, spool: Spool) -> Meter:
    """One that releases what the database has."""
    return Meter(database, clock, journal, spending, spool, spool_after_s=1.5)


def row(request_id: str, price_id: str, usage: Usage = USAGE) -> Posting:
    return posting(record(request_id, price_id, usage), CHARGE)


def posted(database: Database) -> list[tuple[str, int]]:
    sql = "SELECT request_id, charge_nanodollars FROM usage_records ORDER BY sequence"
    return database.reader.execute(sql).fetchall()


def contents(place: Path, database: Database) -> SpoolContents:
    spooled = SpooledPostings.read(place.parent)
    return spooled.without(spooled.posted_in(database.reader))


async def until_fed(spool: Spool) -> None:
    async with asyncio.timeout(60):
        while not spool.is_empty:  # noqa: ASYNC110 - as somebody outside sees it
            await asyncio.sleep(0.01)


async def test_what_is_released_comes_into_the_books(
    database: Database, meter: Meter, feed: Feed, place: Path, journal: Journal
) -> None:
    """Its charge is on this disk when ``post`` returns, and in the books when somebody wants to see it there; a
    response whose client has left is charged as well."""
    price_id = await price_id_of(database)
    open_request(meter, "r1")
    open_request(meter, "r2")
    assert await meter.post(record("r1", price_id), PRICE) == CHARGE
    meter.post_soon(record("r2", price_id), PRICE)
    assert await feed.caught_up(timeout_s=60.0)
    assert posted(database) == [("r1", CHARGE.nanodollars), ("r2", CHARGE.nanodollars)]
    assert journal.open_requests == 0
    assert contents(place, database) == SpoolContents()
    assert verify(database).holds


async def test_nobody_has_to_ask(database: Database, meter: Meter, feed: Feed, spool: Spool) -> None:
    """It comes into the books by itself."""
    price_id = await price_id_of(database)
    await meter.post(record("r1", price_id), PRICE)
    await until_fed(spool)
    assert posted(database) == [("r1", CHARGE.nanodollars)]


async def test_others_can_wait_for_it(database: Database, table: UsageTable, spool: Spool, place: Path) -> None:
    """Another process sees how far a spool has been fed; of one that nobody has ever opened it waits for nothing."""
    price_id = await price_id_of(database)
    await spool.keep(row("r1", price_id))
    assert not await wait_fed([place], timeout_s=0.05)
    feed = Feed(spool, database, table, interval_s=0.05)
    waiting = asyncio.create_task(wait_fed([place, place.parent / "9"], timeout_s=60.0))
    await feed.all()
    assert await waiting
    assert posted(database) == [("r1", CHARGE.nanodollars)]
    await feed.close()


@pytest.mark.usefixtures("feed")
async def test_a_response_ends_while_the_database_is_away(
    database: Database, meter: Meter, spool: Spool, path: Path, place: Path
) -> None:
    """It is charged here, told of by ``verify``, and in the books once the database is back."""
    price_id = await price_id_of(database)
    with away(path):
        assert await meter.post(record("r1", price_id), PRICE) == CHARGE
        open_request(meter, "r2")
        await meter.post(record("r2", price_id), PRICE)
        assert contents(place, database) == SpoolContents(requests=2, nanodollars=2 * CHARGE.nanodollars)
    await until_fed(spool)
    assert posted(database) == [("r1", CHARGE.nanodollars), ("r2", CHARGE.nanodollars)]
    assert verify(database).holds


@pytest.mark.parametrize("limits", [HURRIED])
async def test_a_meter_may_wait_for_the_database(
    database: Database, patient_meter: Meter, feed: Feed, spool: Spool, path: Path
) -> None:
    """Then the spool is for what ends while that is away: the first waits for its commit, those that follow do not."""
    price_id = await price_id_of(database)
    await patient_meter.post(record("r0", price_id), PRICE)
    assert (posted(database), spool.kept) == ([("r0", CHARGE.nanodollars)], 0)
    with away(path):
        assert await patient_meter.post(record("r1", price_id), PRICE) == CHARGE
        assert database.is_stalled
        patient_meter.post_soon(record("r2", price_id), PRICE)
        await patient_meter.post(record("r3", price_id), PRICE)
    await until_fed(spool)
    assert sorted(request_id for request_id, _ in posted(database)) == ["r0", "r1", "r2", "r3"]


async def test_the_next_start_feeds_what_a_killed_gateway_left(
    database: Database, table: UsageTable, tmp_path: Path
) -> None:
    """Also of workers that there are no more; and nothing is fed that was fed before."""
    price_id = await price_id_of(database)
    for worker in (0, 1):
        left = Spool.open(spool_directory(tmp_path / "spool", worker), most=3, limits=SMALL)
        await left.keep(row(f"r{worker}", price_id))
        await left.close()
    assert orphaned_spools(tmp_path / "spool", workers=1) == [spool_directory(tmp_path / "spool", 1)]
    for worker in (0, 1):
        spool = Spool.open(spool_directory(tmp_path / "spool", worker), most=3, limits=SMALL)
        assert spool.kept == 1
        feed = Feed(spool, database, table)
        await feed.all()
        await feed.close()
        await spool.close()
        spool.remove()
    assert posted(database) == [("r0", CHARGE.nanodollars), ("r1", CHARGE.nanodollars)]
    assert orphaned_spools(tmp_path / "spool", workers=0) == []


async def test_killed_between_the_books_and_the_spool(
    database: Database, table: UsageTable, place: Path, tmp_path: Path
) -> None:
    """The books have it, and the spool does not know that they do: it is not charged again."""
    price_id = await price_id_of(database)
    spool = Spool.open(place, most=9, limits=SMALL)
    await asyncio.gather(*(spool.keep(row(f"r{number}", price_id)) for number in range(3)))
    copies = {file: file.read_bytes() for file in log_files(place)}
    feed = Feed(spool, database, table)
    await feed.all()
    await feed.close()
    await spool.close()
    for file, data in copies.items():  # as it was before
        file.write_bytes(data)
    assert contents(place, database) == SpoolContents()
    spool = Spool.open(place, most=9, limits=SMALL)
    await spool.keep(row("r3", price_id))
    assert spool.kept == 4
    feed = Feed(spool, database, table)
    await feed.all()
    await feed.close()
    await spool.close()
    assert [request_id for request_id, _ in posted(database)] == ["r0", "r1", "r2", "r3"]
    assert verify(database).holds


async def test_more_than_is_remembered(database: Database, table: UsageTable, place: Path, path: Path) -> None:
    """What does not fit in memory while the database is away is read from the disk, in order, while more comes."""
    price_id = await price_id_of(database)
    spool = Spool.open(place, most=1_000, memory=100)
    rows = [row(f"r{number:05}", price_id) for number in range(900)]
    with away(path):
        await asyncio.gather(*map(spool.keep, rows[:700]))
    feed = Feed(spool, database, table, interval_s=0.0)
    await asyncio.gather(feed.all(), *(spool.keep(each) for each in rows[700:]))
    await feed.all()
    assert [request_id for request_id, _ in posted(database)] == [each[0] for each in rows]
    await feed.close()
    await spool.close()


async def test_what_the_books_do_not_take_is_told_of(
    database: Database, meter: Meter, feed: Feed, spool: Spool, place: Path
) -> None:
    """It is put aside with the reason, and holds nothing else up; what is posted twice is posted once."""
    price_id = await price_id_of(database)
    await meter.post(record("r1", price_id), PRICE)
    assert await feed.caught_up(timeout_s=60.0)
    await spool.keep(row("r1", price_id, Usage(1, 0, 1)))
    await spool.keep(row("r2", "price_unknown"))
    await spool.keep(row("r3", price_id))
    await until_fed(spool)
    assert [request_id for request_id, _ in posted(database)] == ["r1", "r3"]
    found = contents(place, database)
    assert (found.requests, found.refused, found.nanodollars) == (2, 2, 2 * CHARGE.nanodollars)
    assert [each.posting.request_id for each in RefusedPostings(place).read()] == ["r1", "r2"]
    await spool.keep(row("r3", price_id))
    await until_fed(spool)
    assert (len(posted(database)), contents(place, database).refused) == (2, 2)


async def test_what_is_put_aside_is_counted_once(database: Database, spool: Spool, place: Path) -> None:
    """Also by who looks before it is taken out of the log."""
    refused, waiting = row("r1", "price_unknown"), row("r2", "price_unknown")
    await spool.keep(refused)
    await spool.keep(waiting)
    await spool.refuse(refused, "no such price")
    found = contents(place, database)
    assert (found.requests, found.refused, found.nanodollars) == (2, 1, 2 * CHARGE.nanodollars)


async def test_what_the_disk_has_changed_is_told_of(
    database: Database, table: UsageTable, place: Path, path: Path
) -> None:
    """Until somebody takes note: before the next start, and after it has fed what can be read."""
    price_id = await price_id_of(database)
    spool = Spool.open(place, most=9, limits=SMALL)
    for number in range(3):
        await spool.keep(row(f"r{number}", price_id))
    await spool.close()
    (file,) = [file for file in log_files(place) if b"r1" in file.read_bytes()]
    file.write_bytes(file.read_bytes().replace(b'"r1"', b'"x1"'))
    assert contents(place, database).lost == 1
    for _ in range(2):
        spool = Spool.open(place, most=9, limits=SMALL)
        feed = Feed(spool, database, table)
        await feed.all()
        await feed.close()
        await spool.close()
        assert contents(place, database) == SpoolContents(lost=1)
    assert [request_id for request_id, _ in posted(database)] == ["r0", "r2"]


@pytest.mark.parametrize("limits", [HURRIED])
async def test_a_spool_is_bounded(database: Database, meter: Meter, feed: Feed, spool: Spool, path: Path) -> None:
    """What could not end does not begin; what finds it full is refused."""
    price_id = await price_id_of(database)
    for request_id in ("r1", "r2", "r3", "r4"):
        open_request(meter, request_id)
    with away(path):
        for request_id in ("r1", "r2"):
            await meter.post(record(request_id, price_id), PRICE)
        while not database.is_stalled:  # noqa: ASYNC110 - as somebody outside sees it
            await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            open_request(meter, "r5")
        await meter.post(record("r3", price_id), PRICE)
        with pytest.raises(Overloaded):
            await meter.post(record("r4", price_id), PRICE)
    await until_fed(spool)
    assert len(posted(database)) == 3


async def test_a_spool_whose_disk_is_full_leaves_it_to_the_database(
    database: Database, meter: Meter, spool: Spool, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that is on another disk, responses go on ending."""
    price_id = await price_id_of(database)
    open_request(meter, "r1")
    open_request(meter, "r2")

    def write(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", write)
        await meter.post(record("r1", price_id), PRICE)
        meter.post_soon(record("r2", price_id), PRICE)
        async with asyncio.timeout(60):
            while journal.open_requests:  # noqa: ASYNC110 - as somebody outside sees it
                await asyncio.sleep(0.01)
    assert len(posted(database)) == 2
    assert spool.kept == 0


async def test_a_spool_whose_disk_does_not_answer_leaves_it_to_the_database(
    database: Database, clock: ManualClock, spending: Spending, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has waited for it turns to the database; who comes later goes there at once. What was on its way to the spool
    is charged once."""
    price_id = await price_id_of(database)
    limits = LogLimits(timeout_s=1.5, stall_s=0.5, segment_bytes=65_536, frame_bytes=32_768)
    spool = Spool.open(place, most=9, limits=limits)
    meter = Meter(database, clock, None, spending, spool)
    answers, write = threading.Event(), os.pwrite

    def slow(descriptor: int, data: bytes, offset: int) -> int:
        answers.wait()
        return write(descriptor, data, offset)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", slow)
        await meter.post(record("r1", price_id), PRICE)
        await meter.post(record("r2", price_id), PRICE)
        meter.post_soon(record("r3", price_id), PRICE)
        answers.set()
    feed = Feed(spool, database, UsageTable(spending))
    await spool.keep(row("r4", price_id))
    await feed.all()
    await feed.close()
    await spool.close()
    assert [request_id for request_id, _ in posted(database)] == ["r1", "r2", "r3", "r4"]
    assert verify(database).holds


@pytest.mark.parametrize("limits", [HURRIED])
async def test_neither_disk_takes_it(
    database: Database, meter: Meter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the response is broken off."""
    price_id = await price_id_of(database)

    def write(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with away(path), monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", write)
        with pytest.raises((Overloaded, InternalError)):
            await meter.post(record("r1", price_id), PRICE)
    assert posted(database) == []


async def test_an_orderly_end_leaves_to_the_spool_what_it_cannot_post(
    path: Path, clock: ManualClock, journal: Journal, spool: Spool, place: Path
) -> None:
    """What clients that left owe is not lost when the gateway ends while the database is away."""
    lost: list[Exception] = []
    limits = StoreLimits(busy_timeout_s=0.05, stall_s=60.0)
    database = Database.open(path, limits=limits, on_lost_write=lost.append)
    price_id = await price_id_of(database)
    meter = Meter(database, clock, journal, spool=spool, spool_after_s=2.0)
    with away(path):
        meter.post_soon(record("r1", price_id), PRICE)
        await database.close()
    await spool.close()
    assert lost == []
    assert SpooledPostings.read(place.parent).without([]).requests == 1


async def test_a_spool_has_one_owner(place: Path) -> None:
    """Two would write over what the other has told of."""
    first = Spool.open(place, most=3, limits=SMALL)
    with pytest.raises(BlockingIOError):
        Spool.open(place, most=3, limits=SMALL)
    await first.close()
    second = Spool.open(place, most=3, limits=SMALL)
    await second.close()


async def test_what_cannot_be_read_when_its_turn_comes_is_told_of(
    database: Database, table: UsageTable, place: Path
) -> None:
    """The disk changes what is not in memory, while its gateway is running: the rest is posted."""
    price_id = await price_id_of(database)
    spool = Spool.open(place, most=99, limits=SMALL, memory=2)
    for number in range(6):
        await spool.keep(row(f"r{number}", price_id))
    (file,) = [file for file in log_files(place) if b"r3" in file.read_bytes()]
    with file.open("r+b") as segment:
        segment.seek(file.read_bytes().index(b'"r3"'))
        segment.write(b'"x3"')
    feed = Feed(spool, database, table)
    await feed.all()
    await feed.close()
    await spool.close()
    assert [request_id for request_id, _ in posted(database)] == ["r0", "r1", "r2", "r4", "r5"]
    assert contents(place, database) == SpoolContents(lost=1)


async def test_a_full_database_refuses_nothing(database: Database, table: UsageTable, spool: Spool) -> None:
    """What it has no room for waits in the spool; nothing of it is put aside."""
    price_id = await price_id_of(database)
    (pages,) = database.reader.execute("PRAGMA page_count").fetchone()

    def limit(connection: Connection, most: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {most}")

    await database.write(lambda connection: limit(connection, pages))
    long = list(row("r1", price_id))
    long[long.index("replica-1")] = "x" * 20_000
    await spool.keep(tuple(long))  # type: ignore[arg-type]
    feed = Feed(spool, database, table, retry_s=1_000.0)
    with pytest.raises(Overloaded):
        await feed.all()
    assert spool.kept == 1
    await database.write(lambda connection: limit(connection, 2**30))
    await feed.all()
    await feed.close()
    assert [request_id for request_id, _ in posted(database)] == ["r1"]


async def test_a_disk_that_takes_a_part_takes_all_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put aside stands there whole, or its adding fails."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
    refused = RefusedPostings(tmp_path)
    refused.add(row("r1", "price_unknown"), "unknown")
    refused.add(row("r1", "price_other"), "unknown")
    assert [each.posting.price_id for each in refused.read()] == ["price_unknown", "price_other"]


async def test_who_took_long_waits_for_company(
    place: Path, database: Database, clock: ManualClock, journal: Journal, spending: Spending
) -> None:
    """A request of half a second is released with the next that ends; a shorter one waits for nobody."""
    spool = Spool.open(place, most=9, limits=LogLimits(gather_s=3_600.0))
    meter = Meter(database, clock, journal, spending, spool)
    price_id = await price_id_of(database)
    short = record("r2", price_id)
    long = changed(record("r1", price_id), finished_ns=short.started_ns + 500_000_000)
    releasing = asyncio.create_task(meter.post(long, PRICE))
    await asyncio.sleep(0.01)
    assert not releasing.done()
    await meter.post(short, PRICE)
    await releasing
    await spool.close()
