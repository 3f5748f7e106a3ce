"""How long a month of 10 million requests takes to be invoiced: ``python -m benchmarks.invoicing [REQUESTS]``.

The records are made by SQL in a temporary folder, some 400 bytes each, and deleted at the end. Three things are timed:

- from nothing: all records into the hourly sums. While a platform runs, this happens every few seconds, for what came
  since;
- the month's end: the sums are kept up but for the last 50,000 records; close the month, issue every invoice;
- a draft and a page of costs for one account in the middle of it, and ``verify`` over all of it.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

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


BALANCES = """
INSERT INTO balances (ledger_account, nanodollars, opened_ns)
SELECT 'accounts/' || account, sum(charge_nanodollars), min(finished_ns) FROM usage_records GROUP BY 1
UNION ALL
SELECT 'revenue/' || model || '/' || serving_path, -sum(charge_nanodollars), min(finished_ns)
FROM usage_records GROUP BY 1
"""

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


async def make_places(database: Database, clock: ManualClock, file: Path) -> None:
    versions = PriceVersions(database, clock)
    ids = [await versions.record(model, path, PRICE) for model, path in PLACES]
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE places (place INTEGER PRIMARY KEY, model, serving_path, price_id)")
        connection.executemany(
            "INSERT INTO places VALUES (?, ?, ?, ?)",
            [(place, model, path, ids[place]) for place, (model, path) in enumerate(PLACES)],
        )


def fill(file: Path, requests: int) -> None:
    """Without the trigger that moves balances, which are computed at the end; as posting would have left it."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -500000")
    (trigger,) = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE name = 'usage_records_move_balances'"
    ).fetchone()
    connection.execute("DROP TRIGGER usage_records_move_balances")
    step_ns = (MONTH.end_ns - MONTH.start_ns) // requests
    values = {"accounts": ACCOUNTS, "keys": KEYS, "start_ns": MONTH.start_ns, "step_ns": step_ns}
    for first in range(0, requests, 500_000):
        connection.execute(FILL, {**values, "first": first, "until": min(first + 500_000, requests)})
    connection.execute(trigger)
    connection.execute(BALANCES)
    connection.execute(SPENDING, {"month": MONTH.number})
    connection.execute("DROP TABLE places")
    connection.close()


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


async def measure(folder: Path, requests: int) -> float:
    file, clock = folder / "servery.db", ManualClock(wall_ns=MONTH.end_ns + 3_600 * 10**9)
    async with Database.open(file) as database:
        await make_places(database, clock, file)
        await timed(f"made {requests:,} records", asyncio.to_thread(fill, file, requests))
        print(f"{'the database has':<58}{file.stat().st_size / 1e9:9.2f} GB")
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
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory(prefix="servery-invoicing-") as folder:
        seconds = asyncio.run(measure(Path(folder), requests))
    return 0 if seconds < BAR_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
