"""Databases of every version that there ever was are brought up to date, and their books hold."""

from pathlib import Path

import pytest
from tests.postgresql_server import PostgresqlServer

from servery.control.verify_books import verify
from servery.store.database import Database
from servery.store.dialect import Dialect
from servery.store.limits import StoreLimits
from servery.store.migrations import packaged_migrations
from servery.store.postgresql.connection import connect
from servery.store.postgresql.schema import migrate as migrate_postgresql
from servery.store.sqlite import connect_writer
from servery.store.sqlite_schema import migrate as migrate_sqlite

STEPS = packaged_migrations(Dialect.SQLITE)
MONTH = 12 * 2026 + 10
NOVEMBER_NS = 1_794_000_000 * 10**9
PRICE_ID = "price_72dd5b37c44db4fd9b14460b"


_REQUEST = f"""
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens,
    reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us, cost_labels,
    charge_nanodollars
)
VALUES ('r1', 'a', 'key_1', 'm', 'standard', '{PRICE_ID}', 100, 10, 5, 0, FALSE, 'completed', {NOVEMBER_NS},
        {NOVEMBER_NS}, 'x', 0, '[]', 210)
"""
_TRANSFER = f"""
INSERT INTO transfers (sequence, id, debit_account, credit_account, nanodollars, kind, created_ns)
VALUES (1, 'r1', 'accounts/a', 'revenue/m/standard', 210, 'usage', {NOVEMBER_NS})
"""
_KEY = """
INSERT INTO api_keys (key_id, account, display_name, prefix, created_ns, admin, secret_sha256)
VALUES ('key_1', 'a', '', 'sv_', 1, FALSE, {secret})
"""
_USER = """
INSERT INTO users (account, id, display_name, email, role, service_account, created_ns)
VALUES ('a', 'default', '', '', 'admin', FALSE, 1)
"""


def rows(version: int) -> list[str]:
    """Statements that fill a database of that version with an account, a key, a request and what followed from it, as
    its own software did."""
    account = ("id, display_name, spend_tier, created_ns", "'a', 'A', 1, 1")
    if version < 3:
        account = (f"{account[0]}, state", f"{account[1]}, 'active'")
    statements = [
        f"INSERT INTO price_versions VALUES ('{PRICE_ID}', 'm', 'standard', 2000, 1000, 4000, 1)",
        f"INSERT INTO accounts ({account[0]}) VALUES ({account[1]})",
        _KEY,
        _REQUEST,
    ]
    if version == 1:
        statements += [
            "INSERT INTO ledger_accounts VALUES ('accounts/a', 1), ('revenue/m/standard', 1)",
            _TRANSFER,
            "INSERT INTO balances VALUES ('accounts/a', 210), ('revenue/m/standard', -210)",
        ]
    if version >= 3:
        statements.append(_USER)
    if version in range(5, 11):
        statements += [
            f"INSERT INTO price_changes (price_id, from_ns, recorded_ns) VALUES ('{PRICE_ID}', {number}, {number})"
            for number in (7, 8)
        ]
    if version >= 6:
        statements.append(f"INSERT INTO spending_months VALUES ('a', {MONTH}, 'w', 210, 0, 0, 0)")
    return statements


@pytest.mark.parametrize("version", range(1, len(STEPS)))
async def test_books_of_every_version_hold_on_sqlite(path: Path, version: int) -> None:
    """Whatever stood in them is there."""
    path.parent.mkdir(parents=True)
    connection = connect_writer(path, StoreLimits())
    migrate_sqlite(connection, STEPS[:version])
    for statement in rows(version):
        connection.execute(statement.format(secret="zeroblob(32)"))
    connection.close()
    await examine(path)


@pytest.mark.parametrize("version", range(2, len(STEPS)))
async def test_books_of_every_version_hold_on_postgresql(postgresql: PostgresqlServer, version: int) -> None:
    """The same; there was none before the second."""
    url = postgresql.new_database()
    connection = connect(url, name="servery-test", connect_timeout_s=10.0)
    migrate_postgresql(connection, packaged_migrations(Dialect.POSTGRESQL)[:version])
    for statement in rows(version):
        connection.execute(statement.format(secret="decode(repeat('00', 32), 'hex')"))
    connection.close()
    await examine(url)


async def examine(place: Path | str) -> None:
    async with Database.open(place) as database:
        report = verify(database)
        assert report.findings == ()
        assert (report.usage_records, report.charged_nanodollars) == (1, 210)
        (account,) = database.reader.execute("SELECT id, spend_tier, suspend_state FROM accounts").fetchall()
        assert tuple(account) == ("a", 1, "UNSUSPENDED")
        assert database.reader.execute("SELECT user_id FROM api_keys").fetchall()[0][0] == "default"
