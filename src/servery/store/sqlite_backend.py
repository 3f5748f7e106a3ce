"""SQLite: one file that several processes of one machine may have open at once."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from servery.core.errors import PreconditionFailed
from servery.store.connection import Connection
from servery.store.dialect import Dialect
from servery.store.kept_file import KeptFile
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
        self._kept = KeptFile(path)
        self.writer = SqliteWriter(connection, self._kept)
        self._reader = connect_reader(path, limits)
        self._spare: sqlite3.Connection | None = None  # a reader that is used no more: to open one reads the schema
        self._is_closed = False
        self._spare_in_turn = threading.Lock()

    @property
    def is_in_place(self) -> bool:
        return self._kept.is_in_place

    @property
    def reader(self) -> Connection:
        return self._reader

    async def look_up(self, read: Callable[[Connection], T]) -> T:
        """On the event loop's thread: it takes microseconds."""
        return read(self._reader)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        connection = self._spare_reader() or connect_reader(self._path, self._limits)
        is_kept = False
        try:
            with snapshot(connection):
                yield connection
            is_kept = self._keeps(connection)
        finally:
            if not is_kept:
                connection.close()

    async def wait_configuration_changed(self, *, timeout_s: float) -> None:
        """There is nobody to tell: whoever is interested looks at intervals."""
        await asyncio.sleep(timeout_s)

    def close(self) -> None:
        self._is_closed = True  # before the spare one is taken: who reads at this moment keeps none
        spare = self._spare_reader()
        if spare is not None:
            spare.close()
        self._reader.close()
        self.writer.close()

    def _spare_reader(self) -> sqlite3.Connection | None:
        """Any thread may ask."""
        with self._spare_in_turn:
            spare, self._spare = self._spare, None
        return spare

    def _keeps(self, connection: sqlite3.Connection) -> bool:
        with self._spare_in_turn:
            if self._is_closed or self._spare is not None:
                return False
            self._spare = connection
            return True
