"""Several gateways that share an account's limits: borrowed, spent, given back. Real databases, virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.postgresql_server import PostgresqlServer

from servery.catalog.token_limits import TokenLimits
from servery.core.clock import ManualClock
from servery.core.errors import LimitExceeded, Overloaded
from servery.core.limit_reading import LimitMetric
from servery.core.usage import Usage
from servery.limits.adaptation import Used
from servery.limits.custom_limits import CustomLimits
from servery.limits.estimated import Estimate
from servery.limits.grant import Grant
from servery.limits.lender import Lender
from servery.limits.limit_records import LimitRecords
from servery.limits.limiter import Limiter
from servery.limits.loan_book import LoanBook, Request
from servery.limits.rules import AdaptationRules, LimitRules
from servery.limits.shared_state import NOTHING, Ask, SharedState, Tokens, lend
from servery.store.database import Database

LIMITS = TokenLimits(
    prompt_tokens_per_minute=6_000, uncached_prompt_tokens_per_minute=6_000, generated_tokens_per_minute=600
)
CEILINGS = TokenLimits(
    prompt_tokens_per_minute=60_000, uncached_prompt_tokens_per_minute=60_000, generated_tokens_per_minute=6_000
)
RULES = LimitRules(adaptation=AdaptationRules(start=LIMITS), requests_per_minute=600, retry_jitter=0.0)
SECOND_NS = 1_000_000_000


class Gateway:
    """One of several, with a database connection of its own."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.clock = clock
        self.limiter = Limiter(clock, random=lambda: 0.0, rules=RULES, is_shared=True)
        self.lender = Lender(self.limiter, LoanBook(database, clock, RULES), clock)

    async def reserve(self, prompt: int, generated: int, *, account: str = "acme") -> Grant:
        return await self.lender.reserve(
            account=account,
            counted_as="m",
            limits=CEILINGS,
            estimate=Estimate(prompt, prompt, generated),
            funded=True,
        )

    async def serve(self, prompt: int, generated: int) -> bool:
        """One request that uses what it was expected to; whether there was room for it."""
        try:
            grant = await self.reserve(prompt, generated)
        except LimitExceeded:
            return False
        grant.settle(Usage(prompt, 0, generated))
        grant.release()
        return True


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def gateways(tmp_path: Path, clock: ManualClock) -> AsyncIterator[list[Gateway]]:
    """Three of them on one file."""
    databases = [Database.open(tmp_path / "servery.db") for _ in range(3)]
    yield [Gateway(database, clock) for database in databases]
    for database in databases:
        await database.close()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.floats(0, 20),
            st.floats(0, 900),
            st.floats(0, 900),
            st.floats(0, 1),
        ),
        max_size=60,
    )
)
def test_no_window_sees_more_than_one_gateway_would_give(steps: list[tuple[int, float, float, float, float]]) -> None:
    """Whoever asks for whatever, and gives back a part of it: what is out in any window is at most the capacity, the
    window's refill, and what is owed at its end for a demand larger than the buckets."""
    state: SharedState | None = None
    now_ns, held, flows = 1_000 * SECOND_NS, [0.0, 0.0, 0.0], []
    custom = CustomLimits(
        prompt_tokens_per_minute=6_000, uncached_prompt_tokens_per_minute=6_000, generated_tokens_per_minute=600
    )
    for gateway, pause_s, need, stock, back in steps:
        now_ns += round(pause_s * SECOND_NS)
        unspent = held[gateway] * back
        ask = Ask(
            need=Tokens(generated=need),
            want=Tokens(generated=need + stock),
            unspent=Tokens(generated=unspent),
            ceilings=CEILINGS,
            custom=custom,
        )
        state, loan = lend(state, None, ask, now_ns=now_ns, rules=RULES)
        held[gateway] += loan.tokens.generated - unspent
        assert loan.is_met == (loan.tokens.generated >= need)
        flows.append((now_ns / SECOND_NS, loan.tokens.generated - unspent, max(0.0, -state.level.generated)))
    for start, (since_s, _, _) in enumerate(flows):
        total = 0.0
        for until_s, out, owed in flows[start:]:
            total += out
            assert total <= 600 + (until_s - since_s) * 10 + owed + 0.1


def test_use_at_all_gateways_raises_the_limit_once() -> None:
    """What several report of a minute adds up, and the limit follows the sum as it would one gateway's use."""
    state: SharedState | None = None
    seen = []
    for minute in range(20):
        for part in range(3):
            ask = Ask(used=Used(generated=120), ceilings=CEILINGS)
            state, loan = lend(state, None, ask, now_ns=(minute * 60 + part * 15) * SECOND_NS, rules=RULES)
            seen.append(loan.limits.generated_tokens_per_minute)
    assert sorted(set(seen)) == [600, 750]


async def test_a_request_borrows_what_its_gateway_lacks(gateways: list[Gateway]) -> None:
    """Whichever gateway it comes to; and none gets more than there is."""
    assert [await gateway.serve(100, 200) for gateway in gateways] == [True, True, True]
    assert [await gateway.serve(100, 1) for gateway in gateways] == [False, False, False]


async def test_a_refusal_tells_of_the_common_buckets(gateways: list[Gateway]) -> None:
    """Which limit, how much is left for all, and when to come back."""
    await gateways[0].reserve(100, 500)
    with pytest.raises(LimitExceeded) as refused:
        await gateways[1].reserve(100, 250)
    shortage = refused.value.shortage
    assert shortage is not None
    assert shortage.metric is LimitMetric.GENERATED
    assert (shortage.requested, shortage.remaining, shortage.limit_per_minute) == (250, 100, 600)
    assert refused.value.retry_after_s == pytest.approx(15.0)


async def test_waiting_as_long_as_told_is_enough(gateways: list[Gateway], clock: ManualClock) -> None:
    """At another gateway than the one that refused, too."""
    await gateways[0].reserve(100, 600)
    with pytest.raises(LimitExceeded) as refused:
        await gateways[1].reserve(100, 60)
    assert refused.value.retry_after_s is not None
    clock.advance(refused.value.retry_after_s)
    await gateways[2].reserve(100, 60)


async def test_what_is_not_used_comes_back(gateways: list[Gateway], clock: ManualClock) -> None:
    """A request that used nothing leaves its tokens with its gateway, which gives them back within its rounds."""
    grant = await gateways[0].reserve(100, 600)
    grant.release()
    assert not await gateways[1].serve(100, 600)
    for _ in range(12):
        clock.advance(0.01)
        await gateways[0].lender.look_after()
    assert await gateways[1].serve(100, 590)


async def test_an_orderly_end_gives_everything_back(gateways: list[Gateway]) -> None:
    """As if the gateway had never borrowed."""
    grant = await gateways[0].reserve(100, 600)
    grant.release()
    await gateways[0].lender.close()
    assert await gateways[1].serve(100, 600)


async def test_requests_that_come_at_once_do_not_take_each_others_loans(gateways: list[Gateway]) -> None:
    """As long as there is enough for all, none of them is refused: each finds a little here, too little for itself, and
    no two may count on the same."""
    (await gateways[0].reserve(1, 20)).release()
    served = await asyncio.gather(*(gateways[0].serve(1, 21) for _ in range(24)))
    assert served == [True] * 24


async def test_requests_are_shared_too(gateways: list[Gateway]) -> None:
    """Three gateways let no more requests of an account in than one would."""
    served = 0
    for number in range(900):
        served += await gateways[number % 3].serve(1, 0)
    assert 590 <= served <= 600


async def test_three_gateways_give_one_limit(gateways: list[Gateway], clock: ManualClock) -> None:
    """Over a minute of demand at all of them, in random order and size: no more than one would, and hardly less."""
    chance = random.Random(3)
    served = 0
    for tick in range(6_000):
        clock.advance(0.01)
        if tick % 100 == 99:
            for gateway in gateways:
                await gateway.lender.look_after()
        gateway = chance.choice(gateways)
        generated = chance.randint(1, 8)
        if await gateway.serve(1, generated):
            served += generated
    limit, capacity = 600, 600
    assert served <= capacity + limit
    assert served >= 0.9 * (capacity + limit)


async def test_limits_adapt_for_all_and_are_written_down(
    gateways: list[Gateway], clock: ManualClock, tmp_path: Path
) -> None:
    """Use at one gateway is seen at another, and in what a later start would read."""
    for _ in range(20 * 60):
        clock.advance(1)
        await gateways[0].serve(1, 8)
        await gateways[0].lender.look_after()
    await gateways[1].serve(1, 1)
    reading = gateways[1].limiter.reading("acme", "m")
    assert reading is not None
    assert reading.generated == 750
    async with Database.open(tmp_path / "servery.db") as database:
        states = await LimitRecords(database).states_of("acme")
        assert states["m"].token_limits.generated_tokens_per_minute == 750


async def test_what_was_borrowed_serves_while_the_database_is_away(
    gateways: list[Gateway], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then requests are refused with 503, and what was to be given back is kept until it can be."""
    for _ in range(5):
        clock.advance(1)
        assert await gateways[0].serve(1, 10)
        await gateways[0].lender.look_after()

    async def away(*_: object) -> None:
        raise Overloaded("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(LoanBook, "lend", away)
        patch.setattr(LoanBook, "lend_all", away)
        assert await gateways[0].serve(1, 5)
        with pytest.raises(Overloaded):
            await gateways[0].serve(1, 500)
        clock.advance(1)
        with pytest.raises(Overloaded):
            await gateways[0].lender.look_after()
    clock.advance(60)
    await gateways[0].lender.close()
    assert await gateways[1].serve(1, 600)


async def test_what_could_not_be_given_back_is_given_back_later(
    gateways: list[Gateway], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, once the database is there again."""
    (await gateways[0].reserve(100, 600)).release()

    async def away(*_: object) -> None:
        raise Overloaded("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(LoanBook, "lend_all", away)
        for _ in range(3):
            clock.advance(0.01)
            with pytest.raises(Overloaded):
                await gateways[0].lender.look_after()
    for _ in range(12):
        clock.advance(0.01)
        await gateways[0].lender.look_after()
    assert await gateways[1].serve(100, 590)


@pytest.fixture
def url(postgresql: PostgresqlServer) -> Iterator[str]:
    url = postgresql.lend()
    yield url
    postgresql.take_back(url)


async def test_gateways_that_ask_for_all_at_once_do_not_wait_in_a_circle(url: str, clock: ManualClock) -> None:
    """In whatever order each has met the accounts."""
    async with Database.open(url) as one, Database.open(url) as other:
        requests = [Request(f"a{number}", "m", Ask(ceilings=CEILINGS)) for number in range(20)]
        books = [LoanBook(database, clock, RULES) for database in (one, other)]
        for _ in range(15):
            await asyncio.gather(books[0].lend_all(requests), books[1].lend_all(requests[::-1]))
        one.reader.execute("SELECT pg_stat_force_next_flush()")
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert one.reader.execute(query).fetchone() == (0,)


def test_a_clock_that_goes_back_fills_nothing() -> None:
    """And one that jumps ahead fills no more than the capacity."""
    ask = Ask(need=Tokens(generated=600.0), want=Tokens(generated=600.0), ceilings=CEILINGS)
    state, loan = lend(None, None, ask, now_ns=100 * SECOND_NS, rules=RULES)
    assert loan.is_met
    state, loan = lend(state, None, ask, now_ns=40 * SECOND_NS, rules=RULES)
    assert not loan.is_met
    state, loan = lend(state, None, Ask(ceilings=CEILINGS), now_ns=10_000_000 * SECOND_NS, rules=RULES)
    assert loan.left.generated == 600
    assert loan.tokens == NOTHING
