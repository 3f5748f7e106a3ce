"""Bulk inserts: many rows in few statements, on both databases."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servery.store.bulk_insert import BulkInsert
from servery.store.database import Database
from servery.store.sql import Query

ALIKE = BulkInsert(
    Query(
        "INSERT INTO many (owner, n, place, half) VALUES (?, ?, ?, ?) ON CONFLICT (n) DO NOTHING",
        "INSERT INTO many (owner, n, place, half) SELECT r ->> 0, (r ->> 1)::bigint, r ->> 2, r ->> 3"
        " FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r ON CONFLICT (n) DO NOTHING",
    ),
    alike=(0, 2),
)
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


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.none() | st.just("x"), st.integers(1, 70), st.none() | st.text("h")),
        max_size=12,
    )
)
def test_rows_that_are_alike_are_inserted_as_any(
    new_place: Callable[[], Path | str], runs: list[tuple[str, str | None, int, str | None]]
) -> None:
    """Runs of rows with the same values in the places that are often alike, of any length and in any turn: every row is
    there once, as it was given."""
    place = new_place()
    numbers = itertools.count()
    rows = [(owner, next(numbers), at, half) for owner, at, length, half in runs for _ in range(length)]

    async def scenario() -> None:
        async with Database.open(place) as database:
            create = "CREATE TABLE many (owner TEXT, n BIGINT PRIMARY KEY, place TEXT, half TEXT)"
            await database.write(lambda connection: connection.execute(create))
            assert await database.write(lambda connection: ALIKE.run(connection, rows).rows) == len(rows)
            again = [*rows, ("a", -1, None, None)]
            assert await database.write(lambda connection: ALIKE.run(connection, again).rows) == 1
            found = database.reader.execute("SELECT owner, n, place, half FROM many WHERE n >= 0 ORDER BY n").fetchall()
        assert [tuple(row) for row in found] == rows

    asyncio.run(scenario())
