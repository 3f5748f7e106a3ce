"""What many tests stand on: a database, a clock and a meter of each test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servery.core.clock import ManualClock
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
def meter(database: Database, clock: ManualClock) -> Meter:
    return Meter(database, clock)
