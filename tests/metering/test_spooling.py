"""A platform's spools, its own and those that others have left."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.metering.test_meter import price_id_of
from tests.metering.test_spool import SMALL, row

from servery.billing.spending import OPERATOR, Spending
from servery.core.clock import ManualClock
from servery.core.misconfigured import Misconfigured
from servery.fleet.share import Share
from servery.metering.feed import Feed
from servery.metering.spool import Spool, spool_directory
from servery.metering.usage_table import UsageTable
from servery.settings import Settings, read_settings
from servery.spooling import Spooling
from servery.store.database import Database


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return read_settings({"data_dir": str(tmp_path)})


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "books.db") as database:
        yield database


@pytest.fixture
def table(books: Database) -> UsageTable:
    return UsageTable(Spending(books, ManualClock(), writer=OPERATOR))


async def test_whoever_has_a_spool_comes_to_its_end_first(chosen: Settings, books: Database, table: UsageTable) -> None:
    """A worker whose supervisor was killed drains while the next platform starts: what it keeps meanwhile is posted."""
    price_id = await price_id_of(books)
    left = {index: Spool.open(spool_directory(chosen.spool_directory, index), most=9, limits=SMALL) for index in (0, 1)}
    spooling = Spooling(chosen, books, table, Share(index=0, count=1))
    opening = asyncio.create_task(spooling.open())
    await asyncio.sleep(0.05)
    assert not opening.done()
    await left[0].keep(row("r0", price_id))
    await left[0].close()
    spool = await opening
    feed = Feed(spool, books, table)
    taking_over = asyncio.create_task(spooling.take_over(feed))
    await asyncio.sleep(0.05)
    assert not taking_over.done()
    await left[1].keep(row("r1", price_id))
    await left[1].close()
    await taking_over
    await feed.close()
    await spool.close()
    found = books.reader.execute("SELECT request_id FROM usage_records ORDER BY request_id").fetchall()
    assert found == [("r0",), ("r1",)]
    assert not spool_directory(chosen.spool_directory, 1).exists()


async def test_a_spool_that_cannot_be_opened_is_told_of(chosen: Settings, books: Database, table: UsageTable) -> None:
    """With its directory."""
    chosen.spool_directory.write_text("no directory")
    with pytest.raises(Misconfigured, match="spool cannot be opened"):
        await Spooling(chosen, books, table, Share(index=0, count=1)).open()


@pytest.mark.parametrize("workers", [1, 2])
async def test_charges_gather_for_longer_where_no_other_worker_waits_for_them(
    chosen: Settings, books: Database, table: UsageTable, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Half a second; 0.2 seconds beside others."""
    price_id = await price_id_of(books)
    spooling = Spooling(chosen, books, table, Share(index=0, count=workers))
    spool = await spooling.open()
    feed = spooling.feed(spool)
    now_s = begun_s = asyncio.get_running_loop().time()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s)
    await spool.keep(row("r0", price_id))
    begun = []
    for later_s in (0.1, 0.3, 0.6):
        now_s = begun_s + later_s
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        begun.append(spool.is_empty or "feed" in {task.get_name() for task in asyncio.all_tasks()})
    assert begun == [False, workers > 1, True]
    await feed.all()
    await feed.close()
    await spool.close()
