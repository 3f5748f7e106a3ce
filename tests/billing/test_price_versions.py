"""Price versions: kept for good, once."""

from pathlib import Path

import pytest

from servery.billing.price_versions import PriceVersions, is_intact
from servery.core.clock import ManualClock
from servery.core.errors import NotFound
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.store.database import Database

PRICE = Price(950_000, 475_000, 4_000_000)
MODEL = "accounts/acme/models/small"


async def test_the_same_numbers_have_one_id(database: Database, clock: ManualClock, place: Path | str) -> None:
    """Recording again, later or in another process, gives the same id and adds no row."""
    versions = PriceVersions(database, clock)
    first = await versions.record(MODEL, ServingPath.STANDARD, PRICE)
    recorded_ns = clock.wall_ns()
    clock.advance(1)
    assert await versions.record(MODEL, ServingPath.STANDARD, PRICE) == first
    async with Database.open(place) as other:
        assert await PriceVersions(other, clock).record(MODEL, ServingPath.STANDARD, PRICE) == first
    (version,) = versions.list()
    assert (version.price_id, version.price, version.recorded_ns) == (first, PRICE, recorded_ns)


async def test_whatever_differs_has_an_id_of_its_own(database: Database, clock: ManualClock) -> None:
    """Another model, path or number is another price version; all are kept."""
    versions = PriceVersions(database, clock)
    ids = {
        await versions.record(MODEL, ServingPath.STANDARD, PRICE),
        await versions.record("accounts/acme/models/large", ServingPath.STANDARD, PRICE),
        await versions.record(MODEL, ServingPath.PRIORITY, PRICE),
        await versions.record(MODEL, ServingPath.STANDARD, Price(950_001, 475_000, 4_000_000)),
        await versions.record(MODEL, ServingPath.STANDARD, Price(950_000, 475_001, 4_000_000)),
        await versions.record(MODEL, ServingPath.STANDARD, Price(950_000, 475_000, 4_000_001)),
    }
    assert {version.price_id for version in versions.list()} == ids
    assert len(ids) == 6


async def test_what_another_process_recorded_is_found(
    database: Database, clock: ManualClock, place: Path | str
) -> None:
    """A price version that was recorded after this process had read them all is read then."""
    versions = PriceVersions(database, clock)
    async with Database.open(place) as other:
        recorded = await PriceVersions(other, clock).record(MODEL, ServingPath.FAST, PRICE)
    assert versions.get(recorded).serving_path is ServingPath.FAST
    with pytest.raises(NotFound):
        versions.get("price_unknown")


async def test_an_altered_row_gives_itself_away(database: Database, clock: ManualClock) -> None:
    """The id is made of what it names."""
    await PriceVersions(database, clock).record(MODEL, ServingPath.STANDARD, PRICE)
    row = database.reader.execute("SELECT * FROM price_versions").fetchone()
    assert is_intact(row)
    assert not is_intact((*row[:3], row[3] + 1, *row[4:]))
    assert not is_intact((row[0], "accounts/acme/models/large", *row[2:]))
