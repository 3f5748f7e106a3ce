"""SQLite: one file that several processes of one machine may have open at once."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from servery.core.errors import PreconditionFailed
from servery.store.connection import Connection
from servery.store.dialect import Dialect
from servery.store.limits import StoreLimits
from servery.store.migrations import Migration, packaged_migrations
from servery.store.sqlite import OLDEST_SQLITE, SqliteWriter, connect_reader, connect_writer, create_file, snapshot
from servery.store.sqlite_schema import migrate

T = TypeVar("T")


class SqliteBackend:
    """The writer's connection and the reader's (``backend.Backend``)."""

    def __init__(self, path: Path, limits: StoreLimits, *, migrations: tuple[Migration, ...] | None = None) -> None:
        """Open the file, creating it (directory 0700, file 0600) and migrating it as needed; by the platform's
        ``migrations``, unless it is a file of another kind.

        Raises PreconditionFailed when a newer version of the software wrote it, or SQLite is too old.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            oldest = ".".join(map(str, OLDEST_SQLITE))
            raise PreconditionFailed(f"Python's SQLite is {sqlite3.sqlite_version}; servery needs {oldest} or newer.")
        self._path = path
        self._limits = limits
        create_file(path)
        connection = connect_writer(path, limits)
        try:
            migrate(connection, migrations or packaged_migrations(Dialect.SQLITE))
        except PreconditionFailed:
            connection.close()
            raise
        self.writer = SqliteWriter(connection)
        self._reader = connect_reader(path, limits)

    @property
    def reader(self) -> Connection:
        return self._reader

    async def look_up(self, read: Callable[[Connection], T]) -> T:
        """On the event loop's thread: it takes microseconds."""
        return read(self._reader)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        connection = connect_reader(self._path, self._limits)
        try:
            with snapshot(connection):
                yield connection
        finally:
            connection.close()

    async def wait_configuration_changed(self, *, timeout_s: float) -> None:
        """There is nobody to tell: whoever is interested looks at intervals."""
        await asyncio.sleep(timeout_s)

    def close(self) -> None:
        self._reader.close()
        self.writer.close()
