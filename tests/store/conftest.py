"""A database of each test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servery.store.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "servery.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with Database.open(path) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT UNIQUE) STRICT"))
        yield database
