"""Forward-only, numbered migrations, each in a transaction of its own.

Every step stands twice under one number and name: ``migrations/sqlite/0001_<what>.sql`` and
``migrations/postgresql/0001_<what>.sql``.
"""

import re
import sqlite3
from collections.abc import Iterator
from importlib import resources

import msgspec

from servery.core.errors import PreconditionFailed
from servery.store.dialect import Dialect
from servery.store.sqlite import transaction

_FILE_NAME = re.compile(r"^(?P<number>[0-9]{4})_(?P<what>[a-z0-9_]+)\.sql$")
_CREATE_REGISTER = """
CREATE TABLE IF NOT EXISTS applied_migrations (number INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT
"""


class Migration(msgspec.Struct, frozen=True):
    """One step from version ``number - 1`` of the database to ``number``."""

    number: int
    what: str
    sql: str


def packaged_migrations(dialect: Dialect) -> tuple[Migration, ...]:
    """The migrations that this version of the software brings, in order, numbered from 1 without gaps."""
    migrations = []
    for file in resources.files("servery.store").joinpath("migrations", dialect).iterdir():
        name = _FILE_NAME.match(file.name)
        assert name is not None, f"{file.name} is not named like a migration"
        migrations.append(Migration(int(name["number"]), name["what"], file.read_text(encoding="utf-8")))
    migrations.sort(key=lambda migration: migration.number)
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))
    return tuple(migrations)


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
    version = _version(connection)
    if version > len(migrations):
        raise PreconditionFailed(
            f"The database is at version {version}, and this version of servery knows it up to {len(migrations)}. "
            "Use the newer servery that wrote it."
        )


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
