"""Changing a database by hand behind the platform's back, and undoing it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

_CONSTRAINTS = """
SELECT format('ALTER TABLE servery.%I DROP CONSTRAINT IF EXISTS %I CASCADE', relname, conname)
FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE connamespace = 'servery'::regnamespace AND contype IN ('p', 'u', 'f', 'c')
ORDER BY contype = 'p'
"""
_IDENTITIES = """
SELECT format('ALTER TABLE servery.%I ALTER COLUMN %I DROP IDENTITY', table_name, column_name)
FROM information_schema.columns
WHERE table_schema = 'servery' AND is_identity = 'YES'
"""
_INDEXES = "SELECT format('DROP INDEX servery.%I', indexname) FROM pg_indexes WHERE schemaname = 'servery'"
_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'servery' AND table_name = %s"


class Spoiler:
    """Another connection to a database, whose guards it takes away for good: triggers, keys, checks and indices."""

    def __init__(self, place: Path | str) -> None:
        if isinstance(place, Path):
            self._connection: Any = sqlite3.connect(place, isolation_level=None)
            self._take_sqlites_guards()
        else:
            self._connection = psycopg.connect(place, autocommit=True)
            self._take_postgresqls_guards()
        self.is_sqlite = isinstance(place, Path)
        for table in self.tables():
            self.run(f"CREATE TEMPORARY TABLE kept_{table} AS SELECT * FROM {table}")

    def close(self) -> None:
        self._connection.close()

    def run(self, sql: str) -> int:
        """Returns how many rows it changed."""
        return int(self._connection.execute(sql).rowcount)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql).fetchall())

    def tables(self) -> dict[str, list[str]]:
        """The columns of every table."""
        if self.is_sqlite:
            names = self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            return {name: [row[1] for row in self.rows(f"PRAGMA table_info({name})")] for (name,) in names}
        names = self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'servery'")
        return {name: [row[0] for row in self._connection.execute(_COLUMNS, (name,))] for (name,) in names}

    @contextmanager
    def undone(self, table: str) -> Iterator[None]:
        """After the block the table is as it was when this was opened."""
        try:
            yield
        finally:
            self.run(f"DELETE FROM {table}")
            self.run(f"INSERT INTO {table} SELECT * FROM kept_{table}")

    def _take_sqlites_guards(self) -> None:
        self.run("PRAGMA legacy_alter_table = ON")
        for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
            self.run(f"CREATE TABLE bare AS SELECT * FROM {name}")
            self.run(f"DROP TABLE {name}")
            self.run(f"ALTER TABLE bare RENAME TO {name}")

    def _take_postgresqls_guards(self) -> None:
        self.run("SET search_path = servery")
        self.run("SET session_replication_role = replica")  # no triggers
        for query in (_CONSTRAINTS, _INDEXES, _IDENTITIES):
            for (statement,) in self.rows(query):
                self.run(statement)
