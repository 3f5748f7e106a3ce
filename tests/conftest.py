"""What many tests stand on: a database, a clock and a meter of each test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servery.core.clock import ManualClock
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.store.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "servery.db"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with Database.open(path) as database:
        yield database


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "journal")


@pytest.fixture
def meter(database: Database, clock: ManualClock, journal: Journal) -> Meter:
    return Meter(database, clock, journal)
