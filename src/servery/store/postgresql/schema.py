"""Bringing the schema in a PostgreSQL database up to date."""

from typing import Any, Final

import psycopg

from servery.core.errors import PreconditionFailed
from servery.store.migrations import Migration, refuse_newer
from servery.store.postgresql.connection import SCHEMA, PostgresqlConnection

OLDEST_SERVER: Final = 14_00_00
_LOCK: Final = 0x5345_5256_4552_59
"""Gateways that start at the same time take turns (an advisory lock; the number spells the product's name)."""


def migrate(connection: PostgresqlConnection, migrations: tuple[Migration, ...]) -> None:
    """Make the schema where it is missing, and apply the migrations that are, each in a transaction of its own.

    Raises PreconditionFailed when the server is too old, the role lacks a permission, or a newer version of the
    software wrote the database.
    """
    server = connection.raw.info.server_version
    if server < OLDEST_SERVER:
        raise PreconditionFailed(f"PostgreSQL is {server // 10_000}; servery needs {OLDEST_SERVER // 10_000} or newer.")
    connection.execute("SELECT pg_advisory_lock(?)", (_LOCK,))
    try:
        _make_schema(connection)
        version = _version(connection)
        refuse_newer(version, migrations)
        for migration in migrations[version:]:
            _apply(connection, migration)
    except psycopg.errors.InsufficientPrivilege as error:
        raise PreconditionFailed(f"The database's role may not do what servery needs: {error}") from error
    finally:
        if not connection.is_lost:
            connection.execute("SELECT pg_advisory_unlock(?)", (_LOCK,))


def _make_schema(connection: PostgresqlConnection) -> None:
    """A role that may not make schemas is content with one that was made for it."""
    if not _one(connection, "SELECT count(*) FROM pg_namespace WHERE nspname = ?", (SCHEMA,)):
        connection.script(f"CREATE SCHEMA {SCHEMA}")
    if not _one(connection, "SELECT count(*) FROM pg_tables WHERE schemaname = ? AND tablename = ?", _REGISTER):
        connection.script("CREATE TABLE applied_migrations (number BIGINT PRIMARY KEY, what TEXT NOT NULL)")


_REGISTER: Final = (SCHEMA, "applied_migrations")


def _version(connection: PostgresqlConnection) -> int:
    return _one(connection, "SELECT coalesce(max(number), 0) FROM applied_migrations", ())


def _one(connection: PostgresqlConnection, sql: str, parameters: tuple[Any, ...]) -> int:
    (number,) = connection.execute(sql, parameters).fetchone()
    assert isinstance(number, int)
    return number


def _apply(connection: PostgresqlConnection, migration: Migration) -> None:
    with connection.raw.transaction():
        connection.script(migration.sql)
        connection.execute(
            "INSERT INTO applied_migrations (number, what) VALUES (?, ?)", (migration.number, migration.what)
        )
