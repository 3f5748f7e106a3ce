"""Many rows in few statements: between statements SQLite hands Python's interpreter lock back and forth, and
PostgreSQL makes a round trip, so that what each of them costs does not depend on the row."""

import itertools
import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec

from servery.store.connection import Connection, Cursor
from servery.store.dialect import is_sqlite
from servery.store.sql import Query

_ROW: Final = re.compile(r"(?<=VALUES )\((?:\?, )*\?\)")
_MOST_ROWS: Final = 256
_ANY_SIZE: Final = 64
_FEWEST_ALIKE: Final = 16
"""Of fewer rows that are alike, a statement of their own costs more than what they have alike."""


class BulkInsert:
    """An INSERT that is written for one row, ``VALUES (?, ?, ...)``, or for PostgreSQL from a JSON array ``:rows`` of
    arrays."""

    def __init__(self, query: Query, *, alike: Sequence[int] = ()) -> None:
        """``alike``: the places, in ascending order, of values in which rows often agree, two at least: SQLite copies
        every value that it is handed, and is handed these once for many rows."""
        found = _ROW.search(query)
        assert found is not None, "the query has a row of question marks"
        self._query = query
        self._row = found[0]
        self._alike = alike
        self._sql_by_size: dict[int, str] = {}
        self._sql_alike_by_size: dict[int, str] = {}
        if alike:
            own = [place for place in range(found[0].count("?")) if place not in alike]
            assert min(len(alike), len(own)) > 1, "what is taken out of a row is a tuple"
            self._values_alike: Callable[[Any], Any] = itemgetter(*alike)
            self._own_values: Callable[[Any], Any] = itemgetter(*own)

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> "Inserted":
        """Insert ``rows``; their order is kept among those that are alike."""
        if not is_sqlite(connection):
            return Inserted([connection.execute(self._query, {"rows": msgspec.json.encode(rows).decode()})])
        cursors: list[Cursor] = []
        if self._alike and len(rows) >= _FEWEST_ALIKE:
            rows = self._run_alike(connection, rows, cursors)
        done = 0
        while done < len(rows):
            size = _size(len(rows) - done)
            values = list(itertools.chain.from_iterable(rows[done : done + size]))
            cursors.append(connection.execute(self._sql(size), values))
            done += size
        return Inserted(cursors)

    def _run_alike(
        self, connection: Connection, rows: Sequence[Sequence[Any]], cursors: list[Cursor]
    ) -> Sequence[Sequence[Any]]:
        """Insert those of which many are alike; returns the others."""
        groups: dict[Any, list[Sequence[Any]]] = {}
        for values, row in zip(map(self._values_alike, rows), rows, strict=True):
            group = groups.get(values)
            if group is None:
                group = groups[values] = []
            group.append(row)
        others: list[Sequence[Any]] = []
        for values, group in groups.items():
            done = 0
            while len(group) - done >= _FEWEST_ALIKE:
                size = _power_of_two(len(group) - done)
                own = map(self._own_values, group[done : done + size])
                cursors.append(
                    connection.execute(self._sql_alike(size), [*values, *itertools.chain.from_iterable(own)])
                )
                done += size
            others.extend(group[done:])
        return others

    def _sql(self, size: int) -> str:
        sql = self._sql_by_size.get(size)
        if sql is None:
            sql = self._sql_by_size[size] = _ROW.sub(", ".join([self._row] * size), self._query, count=1)
        return sql

    def _sql_alike(self, size: int) -> str:
        sql = self._sql_alike_by_size.get(size)
        if sql is None:
            numbers = itertools.count(len(self._alike) + 1)
            width = self._row.count("?")
            one = [f"?{self._alike.index(place) + 1}" if place in self._alike else None for place in range(width)]
            texts = [", ".join([text or f"?{next(numbers)}" for text in one]) for _ in range(size)]
            sql = self._sql_alike_by_size[size] = _ROW.sub(f"({'), ('.join(texts)})", self._query, count=1)
        return sql


class Inserted:
    """What came of a bulk insert. On PostgreSQL whoever asks waits for the server: ask once all else is sent."""

    __slots__ = ("_cursors",)

    def __init__(self, cursors: Sequence[Cursor]) -> None:
        self._cursors = cursors

    @property
    def rows(self) -> int:
        """How many rows were inserted, which is fewer than were given where the query passes over conflicts."""
        return sum(cursor.rowcount for cursor in self._cursors)


def _size(rows: int) -> int:
    """How many of ``rows`` one statement takes: all of a few, of many a power of two, so that some hundred prepared
    statements serve groups of all sizes."""
    return rows if rows <= _ANY_SIZE else _power_of_two(rows)


def _power_of_two(rows: int) -> int:
    return min(1 << (rows.bit_length() - 1), _MOST_ROWS)
