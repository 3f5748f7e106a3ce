"""Usage in sums."""

import pytest

from servery.billing.price_versions import PriceVersions
from servery.billing.rating import rate
from servery.core.clock import ManualClock
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.metering.usage_report import UsageQuery, UsageRow, usage_report
from servery.store.database import Database

MODEL = "accounts/acme/models/small"
PRICE = Price(1_000_000, 500_000, 2_000_000)
USAGE = Usage(prompt_tokens=10, cached_prompt_tokens=4, generated_tokens=3)
DAY_NS = 86_400_000_000_000
NEW_YEAR_NS = 1_767_225_600_000_000_000  # 2026-01-01


@pytest.fixture
async def books(database: Database, clock: ManualClock, meter: Meter) -> Database:
    """Two accounts; one of them with two keys on two days and two paths."""
    versions = PriceVersions(database, clock)
    requests = [
        ("a", "key_1", ServingPath.STANDARD, NEW_YEAR_NS),
        ("a", "key_1", ServingPath.STANDARD, NEW_YEAR_NS + DAY_NS - 1),
        ("a", "key_2", ServingPath.STANDARD, NEW_YEAR_NS + DAY_NS),
        ("a", "key_1", ServingPath.PRIORITY, NEW_YEAR_NS + DAY_NS),
        ("b", "key_3", ServingPath.STANDARD, NEW_YEAR_NS),
    ]
    for number, (account, key_id, serving_path, finished_ns) in enumerate(requests):
        record = UsageRecord(
            request_id=f"r{number}",
            account=account,
            key_id=key_id,
            model=MODEL,
            serving_path=serving_path,
            price_id=await versions.record(MODEL, serving_path, PRICE),
            usage=USAGE,
            outcome=Outcome.COMPLETED,
            started_ns=finished_ns,
            finished_ns=finished_ns,
            replica="replica-1",
            queue_wait_us=0,
        )
        await meter.post(record, PRICE)
    return database


def row(
    account: str, serving_path: ServingPath, requests: int, *, day: str | None = None, key_id: str | None = None
) -> UsageRow:
    return UsageRow(
        account=account,
        model=MODEL,
        serving_path=serving_path,
        day=day,
        key_id=key_id,
        requests=requests,
        prompt_tokens=10 * requests,
        cached_prompt_tokens=4 * requests,
        generated_tokens=3 * requests,
        nanodollars=rate(USAGE, PRICE).nanodollars * requests,
    )


async def test_usage_is_summed_by_account_model_and_path(books: Database) -> None:
    """Without anything asked for, all of it."""
    rows = await usage_report(books, UsageQuery())
    assert rows == [
        row("a", ServingPath.PRIORITY, 1),
        row("a", ServingPath.STANDARD, 3),
        row("b", ServingPath.STANDARD, 1),
    ]
    assert [each.uncached_prompt_tokens for each in rows] == [6, 18, 6]


async def test_one_account_and_a_period(books: Database) -> None:
    """The beginning belongs to a period and the end does not."""
    query = UsageQuery(account="a", since_ns=NEW_YEAR_NS + DAY_NS - 1, until_ns=NEW_YEAR_NS + DAY_NS)
    assert await usage_report(books, query) == [row("a", ServingPath.STANDARD, 1)]
    assert await usage_report(books, UsageQuery(since_ns=NEW_YEAR_NS + DAY_NS + 1)) == []


async def test_finer_groups(books: Database) -> None:
    """By day of UTC, by key, and by both."""
    by_day = await usage_report(books, UsageQuery(account="a", by_day=True))
    assert by_day == [
        row("a", ServingPath.PRIORITY, 1, day="2026-01-02"),
        row("a", ServingPath.STANDARD, 2, day="2026-01-01"),
        row("a", ServingPath.STANDARD, 1, day="2026-01-02"),
    ]
    by_key = await usage_report(books, UsageQuery(by_key=True))
    assert [(each.account, each.key_id, each.requests) for each in by_key] == [
        ("a", "key_1", 1),
        ("a", "key_1", 2),
        ("a", "key_2", 1),
        ("b", "key_3", 1),
    ]
    assert len(await usage_report(books, UsageQuery(by_day=True, by_key=True))) == 4
