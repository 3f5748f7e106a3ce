"""How long a month of 10 million requests takes to be invoiced: ``python -m benchmarks.invoicing [--requests N]``.

The records are made by SQL in a temporary folder, some 400 bytes each, and deleted at the end. ``--postgresql``: in a
server that is started for it, with PostgreSQL's own settings and 32 MB of shared buffers. Three things are timed:

- from nothing: all records into the hourly sums. While a platform runs, this happens every few seconds, for what came
  since;
- the month's end: the sums are kept up but for the last 50,000 records; close the month, issue every invoice;
- a draft and a page of costs for one account in the middle of it, and ``verify`` over all of it.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import psycopg
from tests.postgresql_server import missing, running_server

from servery.billing.billing_month import BillingMonth
from servery.billing.price_versions import PriceVersions
from servery.control.invoicing import Invoicing
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.metering.usage_report import UsageQuery, usage_rows
from servery.metering.usage_rollup import UsageRollup
from servery.store.database import Database

Answer = TypeVar("Answer")

BAR_S = 60.0
TAIL = 50_000
ACCOUNTS, KEYS = 100, 2
MONTH = BillingMonth.parse("2026-10")
PRICE = Price(100_000, 50_000, 400_000)
PLACES = [
    ("accounts/servery/models/a", ServingPath.STANDARD),
    ("accounts/servery/models/a", ServingPath.PRIORITY),
    ("accounts/servery/models/b", ServingPath.STANDARD),
    ("accounts/servery/models/b", ServingPath.BATCH),
    ("accounts/servery/routers/a-fast", ServingPath.FAST),
]

FILL = """
WITH RECURSIVE numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :until)
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens,
    reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us, time_to_first_token_us,
    cost_labels, charge_nanodollars
)
SELECT printf('chatcmpl-%032x', n), printf('account-%03d', (n * 7919) % :accounts),
       printf('key_%06d', (n * 7919) % (:accounts * :keys)), places.model, places.serving_path, places.price_id,
       100 + n % 1900, (100 + n % 1900) / 2, 10 + n % 490, 0, 0, 'completed', :start_ns + n * :step_ns,
       :start_ns + n * :step_ns, 'shared-0', 0, 100000, '[["team","search"]]',
       ((100 + n % 1900 - (100 + n % 1900) / 2) * 100000 + (100 + n % 1900) / 2 * 50000
        + (10 + n % 490) * 400000) / 1000
FROM numbers JOIN places ON places.place = n % 5
"""

FILL_POSTGRESQL = """
INSERT INTO servery.usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens,
    reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us, time_to_first_token_us,
    cost_labels, charge_nanodollars
)
SELECT 'chatcmpl-' || lpad(to_hex(n), 32, '0'), 'account-' || lpad(CAST(n * 7919 %% %(accounts)s AS TEXT), 3, '0'),
       'key_' || lpad(CAST(n * 7919 %% (%(accounts)s * %(keys)s) AS TEXT), 6, '0'), places.model, places.serving_path,
       places.price_id, 100 + n %% 1900, (100 + n %% 1900) / 2, 10 + n %% 490, 0, FALSE, 'completed',
       %(start_ns)s + n * %(step_ns)s, %(start_ns)s + n * %(step_ns)s, 'shared-0', 0, 100000, '[["team","search"]]',
       ((100 + n %% 1900 - (100 + n %% 1900) / 2) * 100000 + (100 + n %% 1900) / 2 * 50000
        + (10 + n %% 490) * 400000) / 1000
FROM generate_series(CAST(%(first)s AS BIGINT), %(until)s - 1) AS n JOIN places ON places.place = n %% 5
ORDER BY n
"""

BALANCES = """
INSERT INTO balances (ledger_account, nanodollars, opened_ns)
SELECT 'accounts/' || account, sum(charge_nanodollars), min(finished_ns) FROM usage_records GROUP BY 1
UNION ALL
SELECT 'revenue/' || model || '/' || serving_path, -sum(charge_nanodollars), min(finished_ns)
FROM usage_records GROUP BY 1
"""

MARK = "UPDATE watermarks SET sequence = (SELECT max(sequence) FROM usage_records) WHERE name = 'balances'"

SPENDING = """
INSERT INTO spending_months
SELECT account, :month, '', sum(charge_nanodollars), 0, 0, 0 FROM usage_records GROUP BY account
"""


async def timed(what: str, work: Awaitable[Answer]) -> tuple[Answer, float]:
    started = time.perf_counter()
    answer = await work
    seconds = time.perf_counter() - started
    print(f"{what:<58}{seconds:9.2f} s", flush=True)
    return answer, seconds


async def places(database: Database, clock: ManualClock) -> list[tuple[int, str, str, str]]:
    """What records are divided among, with the prices of each."""
    versions = PriceVersions(database, clock)
    ids = [await versions.record(model, path, PRICE) for model, path in PLACES]
    return [(place, model, path.value, ids[place]) for place, (model, path) in enumerate(PLACES)]


def period(requests: int) -> dict[str, int]:
    step_ns = (MONTH.end_ns - MONTH.start_ns) // requests
    return {"accounts": ACCOUNTS, "keys": KEYS, "start_ns": MONTH.start_ns, "step_ns": step_ns}


def fill_postgresql(url: str, requests: int, among: list[tuple[int, str, str, str]]) -> float:
    """As ``fill``; as posting and autovacuum would have left it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET search_path = servery, public")
        connection.execute("CREATE TEMPORARY TABLE places (place BIGINT, model TEXT, serving_path TEXT, price_id TEXT)")
        connection.cursor().executemany("INSERT INTO places VALUES (%s, %s, %s, %s)", among)
        for first in range(0, requests, 500_000):
            bounds = {"first": first, "until": min(first + 500_000, requests)}
            connection.execute(FILL_POSTGRESQL, {**period(requests), **bounds})
        connection.execute(BALANCES)
        connection.execute(SPENDING.replace(":month", "%(month)s"), {"month": MONTH.number})
        connection.execute("VACUUM ANALYZE usage_records")
        (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        return float(size)


def fill(file: Path, requests: int, among: list[tuple[int, str, str, str]]) -> float:
    """Balances are computed at the end; all is as posting would have left it. Returns the bytes that it takes."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -500000")
    connection.execute("CREATE TABLE places (place INTEGER PRIMARY KEY, model, serving_path, price_id)")
    connection.executemany("INSERT INTO places VALUES (?, ?, ?, ?)", among)
    for first in range(0, requests, 500_000):
        connection.execute(FILL, {**period(requests), "first": first, "until": min(first + 500_000, requests)})
    connection.execute(BALANCES)
    connection.execute(MARK)
    connection.execute(SPENDING, {"month": MONTH.number})
    connection.execute("DROP TABLE places")
    connection.close()
    return float(file.stat().st_size)


def leave_a_tail(requests: int) -> Callable[[Database], Awaitable[None]]:
    """Roll up all but the last records, as the background would have."""

    async def roll_up(database: Database) -> None:
        rollup = UsageRollup(database)
        after = 0
        while after < requests - TAIL:
            until = min(after + 50_000, requests - TAIL)
            assert await rollup.step(after, until)
            after = until

    return roll_up


async def measure(place: Path | str, requests: int) -> float:
    clock = ManualClock(wall_ns=MONTH.end_ns + 3_600 * 10**9)
    async with Database.open(place) as database:
        among = await places(database, clock)
        filling = (
            asyncio.to_thread(fill, place, requests, among)
            if isinstance(place, Path)
            else asyncio.to_thread(fill_postgresql, place, requests, among)
        )
        size, _ = await timed(f"made {requests:,} records", filling)
        print(f"{'the database has':<58}{size / 1e9:9.2f} GB")
        invoicing = Invoicing(database, clock)
        await timed("all but the last 50,000 into the hourly sums", leave_a_tail(requests)(database))
        await timed("a draft for one account", invoicing.get("account-000", MONTH))
        query = UsageQuery(account="account-000", since_ns=MONTH.start_ns, until_ns=MONTH.end_ns, by_hour=True)
        await timed("a month's costs of one account by the hour", usage_rows(database, query))
        issued, seconds = await timed("the month closed, every invoice issued", invoicing.close(MONTH))
        report, _ = await timed("verified from the records", asyncio.to_thread(verify, database))
        assert report.holds, report.findings[:5]
        print(f"{issued} invoices, {report.charged_nanodollars / 1e9:,.2f} dollars; bar {BAR_S:.0f} s")
        return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    if asked.postgresql and (reason := missing()):
        raise SystemExit(reason)
    if asked.postgresql:
        with running_server() as server:
            seconds = asyncio.run(measure(server.new_database(), asked.requests))
    else:
        with tempfile.TemporaryDirectory(prefix="servery-invoicing-") as folder:
            seconds = asyncio.run(measure(Path(folder) / "servery.db", asked.requests))
    return 0 if seconds < BAR_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
