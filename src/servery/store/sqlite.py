"""What is particular to SQLite: how a connection is opened, and how its transactions are bracketed."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from servery.store.limits import StoreLimits

OLDEST_SQLITE = (3, 38, 0)
"""The first with STRICT tables, RETURNING and JSON functions always built in."""


def create_file(path: Path) -> None:
    """Make the database's directory (0700) and file (0600) where they are missing; what exists is left as it is.

    SQLite gives the write-ahead log beside the file the same permissions.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def connect_writer(path: Path, limits: StoreLimits) -> sqlite3.Connection:
    """The connection of the one writer: write-ahead log, and a COMMIT that returns when the disk has it."""
    connection = _connect(path, limits)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # With this, INSERT OR REPLACE meets the triggers that forbid deletion.
    connection.execute("PRAGMA recursive_triggers = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{limits.cached_pages_kib}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {limits.checkpoint_pages}")
    return connection


def connect_reader(path: Path, limits: StoreLimits) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = _connect(path, limits)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path, limits: StoreLimits) -> sqlite3.Connection:
    # isolation_level None: transactions are bracketed here, not by Python's sqlite3. Another thread than the one that
    # opened a connection may use it; never two at once.
    return sqlite3.connect(
        path, timeout=limits.busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def begin(connection: sqlite3.Connection) -> None:
    """Start a transaction that writes. Takes the write lock at once, so that it cannot fail to get it later, half
    way; raises sqlite3.OperationalError when another process holds it for longer than the busy timeout."""
    connection.execute("BEGIN IMMEDIATE")


def commit(connection: sqlite3.Connection) -> None:
    """Make the transaction durable, or raise sqlite3.Error."""
    connection.execute("COMMIT")


def abandon(connection: sqlite3.Connection) -> None:
    """Undo the transaction, if SQLite has not done so by itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction of one's own: committed at the block's end, undone when the block raises."""
    begin(connection)
    try:
        yield
        commit(connection)
    finally:
        abandon(connection)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads of the block see the database as it is at the first of them."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


class Savepoint:
    """A part of a transaction that fails alone: what its block raises is undone and kept in ``error``.

    Errors that made SQLite undo the whole transaction (a full disk, an I/O error) are not held back: they concern
    all that share it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self._connection.execute("SAVEPOINT part")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[True] | None:
        if not self._connection.in_transaction:
            raise sqlite3.OperationalError("the whole transaction was rolled back") from error
        if error is None:
            self._connection.execute("RELEASE part")
            return None
        if not isinstance(error, Exception):
            return None
        self._connection.execute("ROLLBACK TO part")
        self._connection.execute("RELEASE part")
        self.error = error
        return True
