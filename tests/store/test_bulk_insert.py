"""Bulk inserts: many rows in few statements, on both databases."""

from pathlib import Path

import pytest

from servery.store.bulk_insert import BulkInsert
from servery.store.database import Database
from servery.store.sql import Query

TABLE = "CREATE TABLE numbers (n BIGINT PRIMARY KEY, half TEXT)"
INSERT = BulkInsert(
    Query(
        "INSERT INTO numbers (n, half) VALUES (?, ?) ON CONFLICT (n) DO NOTHING",
        "INSERT INTO numbers SELECT (r ->> 0)::bigint, r ->> 1 FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r"
        " ON CONFLICT (n) DO NOTHING",
    )
)


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 100, 257, 1_000])
async def test_groups_of_any_size_are_inserted(place: Path | str, count: int) -> None:
    """Every row, once; how many is told, without those that were there."""
    rows = [(number, None if number % 2 else str(number // 2)) for number in range(count)]
    async with Database.open(place) as database:
        await database.write(lambda connection: connection.execute(TABLE))
        assert await database.write(lambda connection: INSERT.run(connection, rows).rows) == count
        assert await database.write(lambda connection: INSERT.run(connection, [*rows, (-1, None)]).rows) == 1
        found = database.reader.execute("SELECT n, half FROM numbers WHERE n >= 0 ORDER BY n").fetchall()
    assert found == rows
