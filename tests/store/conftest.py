"""A database of each test's own, with a table to write into."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servery.store.database import Database

NOTES = "CREATE TABLE notes (text TEXT UNIQUE)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "servery.db"


@pytest.fixture
async def database(place: Path | str) -> AsyncIterator[Database]:
    async with Database.open(place) as database:
        await database.write(lambda connection: connection.execute(NOTES))
        yield database


@pytest.fixture
async def sqlite_database(path: Path) -> AsyncIterator[Database]:
    async with Database.open(path) as database:
        await database.write(lambda connection: connection.execute(NOTES))
        yield database
