"""A house for each test, whose books are examined when the test is over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.engine_scripts import serves
from tests.fakes.fake_engine import FakeEngine
from tests.serving.house import House

from servery.store.database import Database


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with (
        FakeEngine(serves()) as first,
        FakeEngine(serves()) as second,
        Database.open(tmp_path / "servery.db") as database,
    ):
        house = House(database, first, second)
        await house.open()
        yield house
        await house.check()
        await house.close()
