"""Migrations: forward only, each whole or not at all."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from servery.store.dialect import Dialect
from servery.store.limits import StoreLimits
from servery.store.migrations import Migration, packaged_migrations
from servery.store.sqlite import connect_writer
from servery.store.sqlite_schema import migrate, statements

FIRST = Migration(1, "first", "CREATE TABLE one (x INTEGER);\n")
SECOND = Migration(2, "second", "CREATE TABLE two (x INTEGER);\nINSERT INTO one VALUES (1);\n")
BROKEN = Migration(2, "broken", "INSERT INTO one VALUES (1);\nINSERT INTO nothing VALUES (1);\n")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect_writer(tmp_path / "x.db", StoreLimits())
    yield connection
    connection.close()


def test_each_migration_runs_once(connection: sqlite3.Connection) -> None:
    """Opening again applies what is new and nothing twice."""
    migrate(connection, (FIRST,))
    migrate(connection, (FIRST, SECOND))
    migrate(connection, (FIRST, SECOND))
    assert connection.execute("SELECT * FROM one").fetchall() == [(1,)]
    assert connection.execute("SELECT * FROM applied_migrations").fetchall() == [(1, "first"), (2, "second")]


def test_a_broken_migration_leaves_no_trace(connection: sqlite3.Connection) -> None:
    """What came before it stays, what it had begun is undone."""
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        migrate(connection, (FIRST, BROKEN))
    assert connection.execute("SELECT count(*) FROM one").fetchone() == (0,)
    migrate(connection, (FIRST, SECOND))


def test_a_trigger_is_one_statement() -> None:
    """The semicolons within a trigger do not end it."""
    script = "CREATE TABLE a (x);\nCREATE TRIGGER t BEFORE DELETE ON a\nBEGIN\n  SELECT 1;\nEND;\nSELECT 2;\n"
    assert [statement.split()[1] for statement in statements(script)] == ["TABLE", "TRIGGER", "2;"]


def test_the_packaged_migrations_apply(connection: sqlite3.Connection) -> None:
    """The schema that is shipped is valid and its foreign keys lead somewhere."""
    migrate(connection, packaged_migrations(Dialect.SQLITE))
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("SELECT revision FROM configuration_revision").fetchall() == [(1,)]


def test_both_databases_take_the_same_steps() -> None:
    """A step is written for SQLite and for PostgreSQL, under one number and name, or not at all."""
    sqlite, postgresql = (packaged_migrations(dialect) for dialect in Dialect)
    assert [(each.number, each.what) for each in sqlite] == [(each.number, each.what) for each in postgresql]


FIRST_BOOKS = """
INSERT INTO price_versions VALUES ('p', 'm', 'standard', 1, 1, 1, 0);
INSERT INTO ledger_accounts VALUES ('accounts/a', 5), ('revenue/m/standard', 6), ('accounts/new', 7);
INSERT INTO usage_records VALUES (1, 'r', 'a', 'k', 'm', 'standard', 'p', 9, 0, 1, 0, 0, 'completed', 0, 8, 'x', 0, NULL, '[]', 10);
INSERT INTO transfers VALUES (1, 'r', 'accounts/a', 'revenue/m/standard', 10, 'usage', 8, NULL);
INSERT INTO transfers VALUES (2, 'reversal/r', 'revenue/m/standard', 'accounts/a', 10, 'reversal', 9, 'r');
INSERT INTO balances VALUES ('accounts/a', 0), ('revenue/m/standard', 0);
INSERT INTO open_requests VALUES ('cut', 'a', 'k', 'm', 'standard', 'x', 3);
"""  # noqa: E501 - rows


def fill_first_books(connection: sqlite3.Connection) -> None:
    migrate(connection, packaged_migrations(Dialect.SQLITE)[:1])
    for statement in statements(FIRST_BOOKS):
        connection.execute(statement)


def test_the_first_books_are_carried_over(connection: sqlite3.Connection) -> None:
    """Transfers of usage become their usage records; everything else stays as it was."""
    fill_first_books(connection)
    before = connection.execute("SELECT id, debit_account, nanodollars, kind, reverses FROM transfers").fetchall()
    migrate(connection, packaged_migrations(Dialect.SQLITE))
    after = connection.execute("SELECT id, debit_account, nanodollars, kind, reverses FROM transfers").fetchall()
    assert sorted(after) == sorted(before)
    assert connection.execute("SELECT * FROM balances ORDER BY 1").fetchall() == [
        ("accounts/a", 0, 5),
        ("accounts/new", 0, 7),
        ("revenue/m/standard", 0, 6),
    ]
    assert connection.execute("SELECT request_id, found_ns FROM cut_requests").fetchall() == [("cut", 3)]


@pytest.mark.parametrize(
    "spoiling",
    [
        "INSERT INTO transfers VALUES (3, 's', 'accounts/a', 'revenue/m/standard', 1, 'usage', 8, NULL)",
        """INSERT INTO usage_records VALUES
        (2, 's', 'a', 'k', 'm', 'standard', 'p', 9, 0, 1, 0, 0, 'completed', 0, 8, 'x', 0, NULL, '[]', 10)""",
    ],
)
def test_first_books_that_contradict_themselves_are_refused(connection: sqlite3.Connection, spoiling: str) -> None:
    """Nothing that was charged, or used, is dropped without a word."""
    fill_first_books(connection)
    connection.execute(spoiling)
    with pytest.raises(sqlite3.IntegrityError, match="rows_found = 0"):
        migrate(connection, packaged_migrations(Dialect.SQLITE))
    assert connection.execute("SELECT max(number) FROM applied_migrations").fetchone() == (1,)
