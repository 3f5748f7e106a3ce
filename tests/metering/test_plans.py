"""Reads of one account's records touch no other's, however many there are."""

import pytest
from tests.metering.test_meter import price_id_of

from servery.metering.token_rates import Tokens, token_rates
from servery.metering.usage_report import UsageQuery, grouped, usage_rows
from servery.metering.usage_rollup import HOUR_NS, UsageRollup
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

ACCOUNTS, RECORDS = 50, 5_000
STEP_NS = 10_000_000_000
FILL = f"""
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {RECORDS})
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens,
    reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us, cost_labels,
    charge_nanodollars
)
SELECT 'r' || n, 'account-' || (n - n / {ACCOUNTS} * {ACCOUNTS}), 'key_1', 'accounts/acme/models/small', 'standard',
       :price, 10, 4, 3, 0, FALSE, 'completed', CAST(n AS BIGINT) * {STEP_NS}, CAST(n AS BIGINT) * {STEP_NS}, 'x', 0,
       '[]', 20
FROM numbers
ORDER BY n
"""
READS = {
    "tokens_by_minute": "token_rates.sql",
    "receipts_of_hour": "receipts.sql",
    "records_up_to": "usage_report.sql",
}


@pytest.fixture
async def many(database: Database) -> Database:
    """Records of many accounts in turn, in the hourly sums but for the last."""
    price_id = await price_id_of(database)

    def fill(connection: Connection) -> None:
        connection.execute(FILL, {"price": price_id})

    def analyze(connection: Connection) -> None:
        connection.execute("ANALYZE usage_records")
        connection.execute("ANALYZE usage_series")

    await database.write(fill)
    assert await UsageRollup(database, step_records=1_000).step(0, RECORDS - 100)
    await database.write(analyze)
    return database


async def test_records_are_found_by_account(many: Database) -> None:
    """By the index of accounts and times, on both databases."""
    values = {
        "account": "account-7",
        "since_ns": 100 * STEP_NS,
        "until_ns": 400 * STEP_NS,
        "mark": RECORDS,
        "by_hour": 0,
        "before_ns": 2**62,
        "before_sequence": 2**62,
        "most": 10,
    }
    explain = "EXPLAIN QUERY PLAN" if _is_sqlite(many) else "EXPLAIN"
    for name, file in READS.items():
        query = load_queries("servery.metering", file)[name]
        plan = "\n".join(str(row) for row in many.reader.execute(f"{explain} {query}", values).fetchall())
        assert "usage_records_by_account" in plan, plan
        assert "Seq Scan on usage_records" not in plan
        assert "SCAN usage_records" not in plan


async def test_what_is_found_is_the_same(many: Database) -> None:
    """In any period, of one account and of all."""
    for since_ns, until_ns in ((0, RECORDS * STEP_NS), (HOUR_NS - 5, 3 * HOUR_NS + STEP_NS), (7, 8), (7, STEP_NS + 8)):
        finished = [number for number in range(RECORDS) if since_ns <= number * STEP_NS < until_ns]
        for account in ("account-1", "account-49"):
            own = [number for number in finished if f"account-{number % ACCOUNTS}" == account]
            rates = await token_rates(many, account, since_ns=since_ns, until_ns=until_ns, base_model=lambda name: name)
            assert sum(tokens.generated for tokens in rates.sums.values()) == 3 * len(own)
            most = max((sum(_minute(one) == _minute(each) for each in own) for one in own), default=0)
            assert rates.peak == Tokens(6 * most, 4 * most, 3 * most)
            rows = await usage_rows(many, UsageQuery(account=account, since_ns=since_ns, until_ns=until_ns))
            assert sum(row.requests for row in rows) == len(own)
        rows = await usage_rows(many, UsageQuery(since_ns=since_ns, until_ns=until_ns))
        sums = grouped(rows, lambda row: row.account)
        assert {account: each.requests for account, each in sums.items()} == {
            account: count
            for account in (f"account-{index}" for index in range(ACCOUNTS))
            if (count := sum(f"account-{number % ACCOUNTS}" == account for number in finished))
        }


def _minute(number: int) -> int:
    return number * STEP_NS // 60_000_000_000


def _is_sqlite(database: Database) -> bool:
    return type(database.reader).__module__ == "sqlite3"
