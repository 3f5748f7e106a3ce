"""Which price is in force."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from servery.billing.price_book import PriceBook
from servery.billing.price_changes import PriceChanges
from servery.billing.price_versions import PriceVersions
from servery.catalog.catalog import Catalog
from servery.catalog.offer import Offer
from servery.catalog.reading import read_catalog
from servery.core.clock import ManualClock
from servery.core.errors import InvalidRequest, NotFound
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.store.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEW_YEAR_NS = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * 10**9
MODEL, FAST = "accounts/servery/models/m", "accounts/servery/routers/m-fast"
LISTED, LATER, CHANGED = (
    Price(100_000, 50_000, 400_000),
    Price(120_000, 60_000, 500_000),
    Price(80_000, 20_000, 300_000),
)
TEXT = """\
pools:
  shared: {engine: {kind: embedded, model: demo}, concurrency: 4}
models:
  m:
    pool: shared
    context_length: 2048
    capabilities: [chat]
    prices:
      standard: [{input: 0.10, output: 0.40}, {from: 2027-01-01, input: 0.12, output: 0.50}]
      priority: {input: 0.15, output: 0.60}
    created: 2026-11-20
routers:
  m-fast: {model: m, prices: {input: 0.20, output: 0.80}}
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ns=int(NOW.timestamp()) * 10**9)


@pytest.fixture
def catalog() -> Catalog:
    return read_catalog(TEXT, source="test", directory=Path(), today=NOW.date())


@pytest.fixture
async def book(catalog: Catalog, database: Database, clock: ManualClock) -> PriceBook:
    book = PriceBook(catalog, database, clock)
    await book.refresh()
    return book


def priced(book: PriceBook, catalog: Catalog, wall_ns: int, path: ServingPath = ServingPath.STANDARD) -> Offer:
    (offer,) = (offer for offer in catalog.priced_offers() if offer.model.name == MODEL and offer.path is path)
    return book.priced(offer, wall_ns=wall_ns)


async def test_a_listed_change_comes_into_force_by_itself(
    book: PriceBook, catalog: Catalog, database: Database, clock: ManualClock
) -> None:
    """At its moment, and not before; each price has a version of its own. A clock that jumps back finds the old one."""
    before = priced(book, catalog, NEW_YEAR_NS - 1)
    after = priced(book, catalog, NEW_YEAR_NS)
    assert (before.price, after.price) == (LISTED, LATER)
    versions = PriceVersions(database, clock)
    assert (versions.get(before.price_id).price, versions.get(after.price_id).price) == (LISTED, LATER)
    assert priced(book, catalog, NEW_YEAR_NS - 1) == before


async def test_batch_is_half_of_standard(book: PriceBook, catalog: Catalog) -> None:
    """On every dimension, whatever Standard becomes."""
    assert priced(book, catalog, 0, ServingPath.BATCH).price == Price(50_000, 25_000, 200_000)
    assert priced(book, catalog, NEW_YEAR_NS, ServingPath.BATCH).price == Price(60_000, 30_000, 250_000)


async def test_the_operator_changes_a_price_while_it_runs(
    book: PriceBook, catalog: Catalog, clock: ManualClock
) -> None:
    """At once; batch follows; the catalog's later row still comes; the other paths stay as they were."""
    await book.change(MODEL, ServingPath.STANDARD, CHANGED, from_ns=None)
    now_ns = clock.wall_ns()
    assert priced(book, catalog, now_ns).price == CHANGED
    assert priced(book, catalog, now_ns, ServingPath.BATCH).price == Price(40_000, 10_000, 150_000)
    assert priced(book, catalog, NEW_YEAR_NS).price == LATER
    assert priced(book, catalog, now_ns, ServingPath.PRIORITY).price == Price(150_000, 75_000, 600_000)


async def test_another_process_sees_a_change(
    book: PriceBook, catalog: Catalog, database: Database, clock: ManualClock
) -> None:
    """Once it refreshes; so does one that starts later."""
    await PriceChanges(database, clock).add(MODEL, ServingPath.BATCH, CHANGED, from_ns=clock.wall_ns() + 5)
    await book.refresh()
    assert priced(book, catalog, clock.wall_ns() + 5, ServingPath.BATCH).price == CHANGED
    restarted = PriceBook(catalog, database, clock)
    await restarted.refresh()
    assert priced(restarted, catalog, clock.wall_ns() + 5, ServingPath.BATCH).price == CHANGED


async def test_of_two_changes_from_one_moment_the_later_stands(
    book: PriceBook, catalog: Catalog, clock: ManualClock
) -> None:
    """So a change can be taken back before it is in force."""
    soon_ns = clock.wall_ns() + 10
    for price in (CHANGED, LISTED):
        await book.change(MODEL, ServingPath.STANDARD, price, from_ns=soon_ns)
    assert priced(book, catalog, soon_ns).price == LISTED


async def test_changes_that_make_no_sense_are_refused(book: PriceBook, clock: ManualClock) -> None:
    """The past, an unknown model, a path without a price, a Standard price that batch could not halve."""
    with pytest.raises(InvalidRequest, match="past"):
        await book.change(MODEL, ServingPath.STANDARD, CHANGED, from_ns=clock.wall_ns() - 1)
    with pytest.raises(NotFound):
        await book.change("accounts/servery/models/none", ServingPath.STANDARD, CHANGED, from_ns=None)
    with pytest.raises(NotFound):
        await book.change(FAST, ServingPath.STANDARD, CHANGED, from_ns=None)
    with pytest.raises(InvalidRequest, match="Half"):
        await book.change(MODEL, ServingPath.STANDARD, Price(80_001, 2, 2), from_ns=None)


async def test_the_price_list_tells_what_comes_next(book: PriceBook, clock: ManualClock) -> None:
    """Each row since when it is in force, and the next change where there is one."""
    rows = {(row.offer.name, row.offer.path): row for row in book.listed(wall_ns=clock.wall_ns())}
    assert set(rows) == {
        (MODEL, ServingPath.STANDARD),
        (MODEL, ServingPath.PRIORITY),
        (MODEL, ServingPath.BATCH),
        (FAST, ServingPath.FAST),
    }
    standard = rows[MODEL, ServingPath.STANDARD]
    assert (standard.offer.price, standard.since_ns) == (LISTED, clock.wall_ns())
    assert standard.next_change is not None
    assert (standard.next_change.from_ns, standard.next_change.price) == (NEW_YEAR_NS, LATER)
    assert rows[FAST, ServingPath.FAST].next_change is None
    after = {(row.offer.name, row.offer.path): row for row in book.listed(wall_ns=NEW_YEAR_NS)}
    assert after[MODEL, ServingPath.STANDARD].since_ns == NEW_YEAR_NS
