"""The spool: responses that end while the database is away are charged, once, whoever dies. The database is away while
another process holds its write lock."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.metering.test_meter import PRICE, USAGE, open_request, price_id_of, record

from servery.billing.rating import rate
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import Overloaded
from servery.core.usage import Usage
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.posting import Posting
from servery.metering.spool import Spool, SpoolContents, orphaned_spools, spool_file, spool_files, spooled
from servery.store.database import Database
from servery.store.limits import StoreLimits

CHARGE = rate(USAGE, PRICE)
LIMITS = StoreLimits(commit_timeout_s=5.0, stall_s=0.02, busy_timeout_s=5.0)


@contextmanager
def away(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with Database.open(path, limits=LIMITS) as database:
        yield database


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool.open(spool_file(tmp_path / "spool", 0), most=3)
    yield spool
    await spool.close()


@pytest.fixture
def meter(database: Database, clock: ManualClock, journal: Journal, spool: Spool) -> Meter:
    return Meter(database, clock, journal, spool=spool, spool_after_s=0.05)


def posted(database: Database) -> list[tuple[str, int]]:
    sql = "SELECT request_id, charge_nanodollars FROM usage_records ORDER BY sequence"
    return database.reader.execute(sql).fetchall()


async def forward(meter: Meter) -> None:
    """As the platform's rounds do: again when the database has just come back."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await meter.forward()
            except Overloaded:
                await asyncio.sleep(0.01)


async def test_a_response_ends_while_the_database_is_away(
    database: Database, meter: Meter, spool: Spool, path: Path, journal: Journal
) -> None:
    """Its charge is on this disk when ``post`` returns, and in the books once the database is back; the first waits for
    its commit, those that follow do not."""
    price_id = await price_id_of(database)
    open_request(meter, "r1")
    with away(path):
        assert await meter.post(record("r1", price_id), PRICE) == CHARGE
        assert database.is_stalled
        open_request(meter, "r2")
        meter.post_soon(record("r2", price_id), PRICE)
        await meter.post(record("r3", price_id), PRICE)
        assert await spooled(spool_files(path.parent / "spool")) == SpoolContents(
            requests=3, nanodollars=3 * CHARGE.nanodollars
        )
        assert journal.open_requests == 0
    await forward(meter)
    assert posted(database) == [(f"r{number}", CHARGE.nanodollars) for number in (1, 2, 3)]
    assert (spool.kept, await spool.oldest(1)) == (0, [])
    assert verify(database).holds


async def test_the_next_start_forwards_what_a_killed_gateway_left(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Also of workers that there are no more."""
    price_id = await price_id_of(database)
    for worker in (0, 1):
        left = Spool.open(spool_file(tmp_path / "spool", worker), most=3)
        await left.keep(Posting(record(f"r{worker}", price_id), CHARGE))
        await left.close()
    assert orphaned_spools(tmp_path / "spool", workers=1) == [spool_file(tmp_path / "spool", 1)]
    for worker in (0, 1):
        spool = Spool.open(spool_file(tmp_path / "spool", worker), most=3)
        assert spool.kept == 1
        await Meter(database, clock, spool=spool).forward()
        await spool.close()
    assert posted(database) == [("r0", CHARGE.nanodollars), ("r1", CHARGE.nanodollars)]


async def test_what_is_in_the_books_is_not_posted_again(database: Database, meter: Meter, spool: Spool) -> None:
    """A commit whose answer was lost may have been carried out."""
    price_id = await price_id_of(database)
    await meter.post(record("r1", price_id), PRICE)
    for request_id in ("r1", "r2", "r2"):
        await spool.keep(Posting(record(request_id, price_id), CHARGE))
    assert spool.kept == 2
    await meter.forward()
    assert posted(database) == [("r1", CHARGE.nanodollars), ("r2", CHARGE.nanodollars)]
    assert spool.kept == 0


async def test_what_the_books_do_not_take_is_told_of(
    database: Database, meter: Meter, spool: Spool, tmp_path: Path
) -> None:
    """It stays, and holds nothing else up."""
    price_id = await price_id_of(database)
    await meter.post(record("r1", price_id), PRICE)
    await spool.keep(Posting(record("r1", price_id, Usage(1, 0, 1)), CHARGE))
    await spool.keep(Posting(record("r2", price_id), CHARGE))
    await meter.forward()
    assert [request_id for request_id, _ in posted(database)] == ["r1", "r2"]
    assert (await spooled(spool_files(tmp_path / "spool"))).refused == 1
    await meter.forward()
    assert spool.kept == 1


async def test_a_spool_is_bounded(database: Database, meter: Meter, spool: Spool, path: Path) -> None:
    """What could not end does not begin; what finds it full is refused."""
    price_id = await price_id_of(database)
    for request_id in ("r1", "r2", "r3", "r4"):
        open_request(meter, request_id)
    with away(path):
        for request_id in ("r1", "r2"):
            await meter.post(record(request_id, price_id), PRICE)
        with pytest.raises(Overloaded):
            open_request(meter, "r5")
        await meter.post(record("r3", price_id), PRICE)
        with pytest.raises(Overloaded, match="spool is full"):
            await meter.post(record("r4", price_id), PRICE)
    await forward(meter)
    assert len(posted(database)) == 3


async def test_an_orderly_end_leaves_to_the_spool_what_it_cannot_post(
    path: Path, clock: ManualClock, journal: Journal, spool: Spool
) -> None:
    """What clients that left owe is not lost when the gateway ends while the database is away."""
    lost: list[Exception] = []
    limits = StoreLimits(busy_timeout_s=0.05, stall_s=60.0)
    database = Database.open(path, limits=limits, on_lost_write=lost.append)
    price_id = await price_id_of(database)
    meter = Meter(database, clock, journal, spool=spool)
    with away(path):
        meter.post_soon(record("r1", price_id), PRICE)
        await database.close()
    assert lost == []
    assert [posting.record.request_id for _, posting in await spool.oldest(9)] == ["r1"]
