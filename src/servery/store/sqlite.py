"""What is particular to SQLite: how a connection is opened, and how its transactions are bracketed."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from servery.store.kept_file import KeptFile
from servery.store.limits import StoreLimits
from servery.store.transaction import Attempt, OpenTransaction, TransactionFailed

OLDEST_SQLITE = (3, 38, 0)
"""The first with STRICT tables, RETURNING and JSON functions always built in."""

_OF_WHAT_WAS_ASKED: Final = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}
)
"""Errors that a statement meets again whenever it is run. Others are of the file, the disk or the memory: full, locked,
unreadable."""


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


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction of one's own: committed at the block's end, undone when the block raises. Takes the write lock at
    once, so that it cannot fail to get it later, half way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # SQLite undoes some by itself
            connection.execute("ROLLBACK")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads of the block see the database as it is at the first of them."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


class SqliteWriter:
    """Transactions on the one writing connection (``transaction.Writer``)."""

    def __init__(self, connection: sqlite3.Connection, kept: KeptFile) -> None:
        self._connection = connection
        self._kept = kept

    def transact(self, body: Callable[[OpenTransaction], None], *, in_parts: bool = False) -> Exception | None:
        """As ``Writer.transact``. Waits for another process that is writing, up to the busy timeout."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            with Attempt() as attempt:
                body(connection)
            if attempt.error is None:
                self._kept.check()
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as failure:
            raise TransactionFailed("the database could not be written") from failure
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if isinstance(attempt.error, TransactionFailed):
            raise attempt.error
        if isinstance(attempt.error, sqlite3.Error) and _is_of_the_database(attempt.error):
            raise TransactionFailed("the database could not be written") from attempt.error
        return attempt.error

    def give_up(self) -> None:
        """A file is never away."""

    def close(self) -> None:
        self._connection.close()


def _is_of_the_database(error: sqlite3.Error) -> bool:
    code: int | None = getattr(error, "sqlite_errorcode", None)  # Python's own errors, about values, have none
    return code is not None and code & 0xFF not in _OF_WHAT_WAS_ASKED
