"""Bringing a SQLite database's schema up to date."""

import sqlite3
from collections.abc import Iterator

from servery.store.migrations import Migration, refuse_newer
from servery.store.sqlite import transaction

_CREATE_REGISTER = """
CREATE TABLE IF NOT EXISTS applied_migrations (number INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT
"""


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...]) -> None:
    """Apply what is missing. Processes that open the database at the same time take turns.

    Raises PreconditionFailed, and changes nothing, when the database was written by a newer version of the software.
    """
    if _version(connection) == len(migrations):
        return
    for migration in migrations:
        with transaction(connection):
            if _version(connection) < migration.number:
                _apply(connection, migration)
    refuse_newer(_version(connection), migrations)


def _version(connection: sqlite3.Connection) -> int:
    (exists,) = connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'applied_migrations'"
    ).fetchone()
    if not exists:
        return 0
    (version,) = connection.execute("SELECT coalesce(max(number), 0) FROM applied_migrations").fetchone()
    assert isinstance(version, int)
    return version


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.execute(_CREATE_REGISTER)
    for statement in statements(migration.sql):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO applied_migrations (number, what) VALUES (?, ?)", (migration.number, migration.what)
    )


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one; a trigger's inner semicolons do not end it. (``executescript`` would
    commit the transaction that the migration runs in.)"""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    assert not pending.strip(), "a migration ends with a complete statement"
