"""Many rows in few statements: between statements SQLite hands Python's interpreter lock back and forth, and
PostgreSQL makes a round trip, so that what each of them costs does not depend on the row."""

import itertools
import re
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from servery.store.connection import Connection, Cursor
from servery.store.sql import Query

_ROW: Final = re.compile(r"(?<=VALUES )\((?:\?, )*\?\)")
_MOST_ROWS: Final = 256
_ANY_SIZE: Final = 64


class BulkInsert:
    """An INSERT that is written for one row, ``VALUES (?, ?, ...)``, or for PostgreSQL from a JSON array ``:rows`` of
    arrays."""

    def __init__(self, query: Query) -> None:
        found = _ROW.search(query)
        assert found is not None, "the query has a row of question marks"
        self._query = query
        self._row = found[0]
        self._sql_by_size: dict[int, str] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> "Inserted":
        """Insert ``rows``."""
        if not isinstance(connection, sqlite3.Connection):
            return Inserted([connection.execute(self._query, {"rows": msgspec.json.encode(rows).decode()})])
        cursors: list[Cursor] = []
        done = 0
        while done < len(rows):
            size = _size(len(rows) - done)
            values = list(itertools.chain.from_iterable(rows[done : done + size]))
            cursors.append(connection.execute(self._sql(size), values))
            done += size
        return Inserted(cursors)

    def _sql(self, size: int) -> str:
        sql = self._sql_by_size.get(size)
        if sql is None:
            sql = self._sql_by_size[size] = _ROW.sub(", ".join([self._row] * size), self._query, count=1)
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
    return rows if rows <= _ANY_SIZE else min(1 << (rows.bit_length() - 1), _MOST_ROWS)
