"""A platform whose files go away under it, or cannot be written: nothing is lost, and new work waits."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.metering.test_meter import PRICE, open_request, price_id_of, record

from servery.billing.spending import OPERATOR, Spending
from servery.core.clock import ManualClock
from servery.core.errors import InternalError, Overloaded
from servery.metering.feed import Feed
from servery.metering.meter import Meter
from servery.metering.safekeeping import Safekeeping
from servery.metering.spool import Spool
from servery.metering.usage_table import UsageTable
from servery.store.database import Database


class Gateway:
    """What keeps charges, in ``place``."""

    def __init__(self, place: Path, database: Database, spool: Spool, price_id: str) -> None:
        clock = ManualClock()
        spending = Spending(database, clock, writer=OPERATOR)
        self.place, self.database, self.spool, self.price_id = place, database, spool, price_id
        self.feed = Feed(spool, database, UsageTable(spending), interval_s=0.0, retry_s=0.01)
        self.meter = Meter(database, clock, spending=spending, spool=spool)
        self.keeping = Safekeeping(spool, database, logger=logging.getLogger("test.safekeeping"))

    async def post(self, request_id: str) -> None:
        open_request(self.meter, request_id)
        await self.meter.post(record(request_id, self.price_id), PRICE)

    async def look(self) -> None:
        """Until what is found out in threads is known."""
        for _ in range(3):
            await self.keeping.look()
            await asyncio.sleep(0.02)
        await self.keeping.look()

    def in_books(self) -> set[str]:
        rows = self.database.reader.execute("SELECT request_id FROM usage_records").fetchall()
        return {request_id for (request_id,) in rows}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    place = tmp_path / "data"
    async with Database.open(place / "servery.db", on_lost_write=lambda error: None) as database:
        spool = Spool.open(place / "spool", most=100)
        gateway = Gateway(place, database, spool, await price_id_of(database))
        yield gateway
        await gateway.feed.close()
        await spool.close()


def told(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [one.levelno for one in caplog.records if one.name == "test.safekeeping"]


async def test_without_its_spool_charges_go_to_the_database(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """At once, and work goes on; once the spool is back, it is used again."""
    gateway.spool.directory.rename(gateway.place / "elsewhere")
    await gateway.post("one")
    assert gateway.in_books() == {"one"}, "it is durable where it can be found, before anybody is told that it is"
    await gateway.look()
    assert (gateway.spool.is_failing, gateway.meter.can_keep, told(caplog)) == (True, True, [logging.ERROR])
    (gateway.place / "elsewhere").rename(gateway.spool.directory)
    await gateway.look()
    assert (gateway.spool.is_failing, told(caplog)) == (False, [logging.ERROR, logging.WARNING])
    kept_to = gateway.spool.kept_to
    await gateway.post("two")
    assert gateway.spool.kept_to == kept_to + 1


async def test_a_spool_that_was_replaced_is_not_written(gateway: Gateway) -> None:
    """Another file of that name would be found by the next start instead."""
    gateway.spool.directory.rename(gateway.place / "elsewhere")
    gateway.spool.directory.mkdir()
    for file in (gateway.place / "elsewhere").iterdir():
        (gateway.spool.directory / file.name).write_bytes(file.read_bytes())
    await gateway.post("one")
    assert gateway.in_books() == {"one"}


async def test_without_the_databases_file_nothing_new_begins(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """What runs is kept in the spool, nothing is taken for posted, and all is posted once the file is back."""
    open_request(gateway.meter, "running")
    (gateway.place / "servery.db").rename(gateway.place / "moved.db")
    await gateway.look()
    assert not gateway.meter.can_keep
    with pytest.raises(Overloaded):
        open_request(gateway.meter, "late")
    await gateway.meter.post(record("running", gateway.price_id), PRICE)
    with pytest.raises(InternalError):
        await gateway.database.write(lambda connection: None)
    assert not await gateway.feed.caught_up(timeout_s=0.05)
    assert not gateway.spool.is_empty
    assert told(caplog) == [logging.ERROR]
    (gateway.place / "moved.db").rename(gateway.place / "servery.db")
    async with asyncio.timeout(60):
        while not await gateway.feed.caught_up():
            pass
    await gateway.look()
    assert (gateway.in_books(), gateway.meter.can_keep) == ({"running"}, True)
    assert told(caplog) == [logging.ERROR, logging.WARNING]


async def test_where_nothing_can_be_written_nothing_new_begins(gateway: Gateway) -> None:
    """Neither spool nor database: as on a disk that has turned read-only. It is tried again and again."""
    writer = gateway.database._backend.writer._connection  # type: ignore[attr-defined]
    gateway.spool.directory.rename(gateway.place / "elsewhere")
    writer.execute("PRAGMA query_only = ON")
    with pytest.raises(InternalError):
        await gateway.post("one")
    assert not gateway.meter.can_keep
    await gateway.look()
    assert not gateway.meter.can_keep
    with pytest.raises(Overloaded):
        open_request(gateway.meter, "two")
    writer.execute("PRAGMA query_only = OFF")
    await gateway.look()
    assert gateway.meter.can_keep
    await gateway.post("two")
    assert gateway.in_books() == {"two"}


async def test_a_data_directory_that_is_gone_is_noticed_while_nothing_happens(gateway: Gateway) -> None:
    """And that it is back."""
    assert gateway.meter.can_keep
    gateway.place.rename(gateway.place.with_name("moved"))
    await gateway.look()
    assert not gateway.meter.can_keep
    gateway.place.with_name("moved").rename(gateway.place)
    await gateway.look()
    assert gateway.meter.can_keep
