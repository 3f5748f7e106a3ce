"""Usage in sums: whatever has been rolled up, a report says the same."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.billing.price_versions import PriceVersions
from servery.core.clock import ManualClock
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.metering.usage_report import UsageQuery, UsageRow, grouped, usage_rows
from servery.metering.usage_rollup import HOUR_NS, UsageRollup
from servery.store.database import Database

MODEL = "accounts/acme/models/small"
PRICE = Price(1_000_000, 500_000, 2_000_000)
USAGE = Usage(prompt_tokens=10, cached_prompt_tokens=4, generated_tokens=3)
DAY_NS = 24 * HOUR_NS
NEW_YEAR_NS = 1_767_225_600_000_000_000  # 2026-01-01


async def post(
    database: Database, number: int, *, account: str = "a", key_id: str = "key_1", finished_ns: int = NEW_YEAR_NS
) -> None:
    clock = ManualClock()
    record = UsageRecord(
        request_id=f"r{number}",
        account=account,
        key_id=key_id,
        model=MODEL,
        serving_path=ServingPath.STANDARD,
        price_id=await PriceVersions(database, clock).record(MODEL, ServingPath.STANDARD, PRICE),
        usage=USAGE,
        outcome=Outcome.COMPLETED,
        started_ns=finished_ns,
        finished_ns=finished_ns,
        replica="replica-1",
        queue_wait_us=0,
        cost_labels=(("team", f"team-{number % 2}"),),
    )
    await Meter(database, clock).post(record, PRICE)


async def requests(database: Database, query: UsageQuery, group=lambda row: row.account) -> dict[object, int]:
    return {key: sums.requests for key, sums in grouped(await usage_rows(database, query), group).items()}


@pytest.mark.parametrize("rolled_up_after", [0, 3, 5])
async def test_a_report_is_exact_however_much_is_rolled_up(database: Database, rolled_up_after: int) -> None:
    """In whole hours, in parts of hours, of one account and of all."""
    moments = [0, HOUR_NS - 1, HOUR_NS, DAY_NS, DAY_NS + 5]
    for number, (account, moment) in enumerate(zip("aabab", moments, strict=True), start=1):
        await post(database, number, account=account, finished_ns=NEW_YEAR_NS + moment)
        if number == rolled_up_after:
            assert await UsageRollup(database).roll_up() == number
    assert await requests(database, UsageQuery()) == {"a": 3, "b": 2}
    assert await requests(database, UsageQuery(account="a")) == {"a": 3}
    for since, until, expected in (
        (0, HOUR_NS, {"a": 2}),
        (1, HOUR_NS, {"a": 1}),
        (0, HOUR_NS - 1, {"a": 1}),
        (HOUR_NS, DAY_NS, {"b": 1}),
        (HOUR_NS - 1, DAY_NS + 5, {"a": 2, "b": 1}),
        (5, 10, {}),
    ):
        period = UsageQuery(since_ns=NEW_YEAR_NS + since, until_ns=NEW_YEAR_NS + until)
        assert await requests(database, period) == expected, (since, until)


async def test_rows_come_by_hour_and_carry_their_facts(database: Database) -> None:
    """Keys, prices and labels stay told apart; tokens and money are summed."""
    await post(database, 1)
    await post(database, 3, finished_ns=NEW_YEAR_NS + HOUR_NS)
    await post(database, 5)
    await UsageRollup(database).roll_up()
    rows = sorted(await usage_rows(database, UsageQuery(by_hour=True)), key=lambda row: row.hour)
    assert [(row.hour - NEW_YEAR_NS // HOUR_NS, row.requests, row.day) for row in rows] == [
        (0, 2, "2026-01-01"),
        (1, 1, "2026-01-01"),
    ]
    first = rows[0]
    assert (first.prompt_tokens, first.cached_prompt_tokens, first.generated_tokens) == (20, 8, 6)
    assert (first.key_id, first.label("team"), first.label("project")) == ("key_1", "team-1", "")
    assert first.nanodollars == 2 * (6 * 1000 + 4 * 500 + 3 * 2000)


async def test_nothing_is_rolled_up_twice(database: Database) -> None:
    """Neither in small steps, nor by two at once, nor again."""
    for number in range(7):
        await post(database, number)
    rollups = [UsageRollup(database, step_records=2), UsageRollup(database, step_records=3)]
    assert sum(await asyncio.gather(*(rollup.roll_up() for rollup in rollups))) == 7
    assert await rollups[0].roll_up() == 0
    for number in range(7, 12):
        await post(database, number)
    assert [await rollups[0].roll_up(most_steps=2) for _ in range(3)] == [4, 1, 0]
    assert await requests(database, UsageQuery()) == {"a": 12}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("ab"), st.integers(0, 3 * HOUR_NS)),
            st.just("roll up"),
        ),
        max_size=14,
    ),
    st.integers(0, 3 * HOUR_NS),
    st.integers(0, 3 * HOUR_NS),
)
@settings(max_examples=25, deadline=None)
def test_any_order_of_posting_and_rolling_up_says_the_same(
    steps: list[tuple[str, int] | str], since: int, until: int
) -> None:
    """As adding up by hand."""

    async def scenario(directory: Path) -> list[UsageRow]:
        async with Database.open(directory / "x.db") as database:
            for number, step in enumerate(steps):
                if isinstance(step, str):
                    await UsageRollup(database).roll_up()
                else:
                    await post(database, number, account=step[0], finished_ns=NEW_YEAR_NS + step[1])
            query = UsageQuery(account="a", since_ns=NEW_YEAR_NS + since, until_ns=NEW_YEAR_NS + until)
            return await usage_rows(database, query)

    with tempfile.TemporaryDirectory() as directory:
        rows = asyncio.run(scenario(Path(directory)))
    posted = [step for step in steps if not isinstance(step, str)]
    expected = sum(account == "a" and since <= moment < until for account, moment in posted)
    assert sum(row.requests for row in rows) == expected
