"""A house for each test, whose books are examined when the test is over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.fakes.engine_scripts import serves
from tests.fakes.fake_engine import FakeEngine
from tests.serving.house import House

from servery.store.database import Database
from servery.store.limits import StoreLimits


@asynccontextmanager
async def _house_in(directory: Path, limits: StoreLimits) -> AsyncIterator[House]:
    async with (
        FakeEngine(serves()) as first,
        FakeEngine(serves()) as second,
        Database.open(directory / "servery.db", limits=limits) as database,
    ):
        house = House(database, first, second)
        await house.open()
        yield house
        await house.check()
        await house.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with _house_in(tmp_path, StoreLimits()) as house:
        yield house


@pytest.fixture
async def impatient_house(tmp_path: Path) -> AsyncIterator[House]:
    """To which any commit that is under way takes too long."""
    async with _house_in(tmp_path, StoreLimits(stall_s=0.0)) as house:
        yield house
