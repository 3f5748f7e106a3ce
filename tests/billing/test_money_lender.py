"""Several gateways that spend one account's money: borrowed, charged, given back. Real databases, virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.billing.test_budget import PLAIN

from servery.billing.billing_month import BillingMonth
from servery.billing.borrower_file import BorrowerFile, retired_borrowers
from servery.billing.budgets import Budgets
from servery.billing.charged import Charged
from servery.billing.money_book import MoneyBook
from servery.billing.money_lender import MoneyLender, leased_purses
from servery.billing.money_lending import MoneyAsk, lend
from servery.billing.spend_tiers import USUAL_TIERS
from servery.billing.spending import Spending
from servery.billing.standing import Standing
from servery.control.account_review import AccountReview
from servery.control.spend_limit import SpendLimit
from servery.core.clock import ManualClock
from servery.core.errors import Overloaded, PreconditionFailed
from servery.store.database import Database
from servery.tenancy.accounts import Accounts

DOLLAR = 1_000_000_000
TRUSTED_S, KEPT_S = 60.0, 300.0


class Gateway:
    """One of several, with a database connection of its own."""

    def __init__(self, database: Database, clock: ManualClock, name: str) -> None:
        self.database, self.clock = database, clock
        self.spending = Spending(database, clock, writer=name)
        self.budgets = Budgets(self.spending, clock, new_purse=leased_purses(clock, trusted_s=TRUSTED_S))
        self.book = MoneyBook(database, clock, self.spending, kept_s=KEPT_S)
        self.lender = MoneyLender(self.budgets, self.book, clock)
        self.requests = 0

    async def begin(self) -> None:
        if not self.budgets.knows("acme"):
            await self.budgets.learn("acme")

    async def post(self, nanodollars: int) -> None:
        self.requests += 1
        charge = Charged(f"{self.spending.writer}-{self.requests}", "acme", nanodollars, self.clock.wall_ns())
        await self.database.write(lambda connection: self.spending.charged_within(connection, [charge]))

    async def serve(self, estimate: int, charge: int | None = None) -> bool:
        """One request that costs what was estimated, or ``charge``; whether there was money for it."""
        await self.begin()
        try:
            hold = await self.lender.hold("acme", estimate)
        except PreconditionFailed:
            return False
        cost = estimate if charge is None else charge
        hold.settle(cost)
        await self.post(cost)
        return True

    async def look(self) -> None:
        await self.budgets.refresh()
        await self.lender.look_after()

    async def standing(self) -> Standing:
        month = BillingMonth.of(self.clock.wall_ns()).number
        return (await self.spending.read(["acme"], month))["acme"]


@pytest.fixture
async def gateways(place: Path | str, clock: ManualClock) -> AsyncIterator[list[Gateway]]:
    """Three of them; acme may spend a dollar."""
    async with three_on(place, clock) as gateways:
        yield gateways


@pytest.fixture
async def gateways_on_file(path: Path, clock: ManualClock) -> AsyncIterator[list[Gateway]]:
    """The same where the database's time is the test's too."""
    async with three_on(path, clock) as gateways:
        yield gateways


@asynccontextmanager
async def three_on(place: Path | str, clock: ManualClock) -> AsyncIterator[list[Gateway]]:
    databases = [Database.open(place) for _ in range(3)]
    gateways = [Gateway(database, clock, f"g{number}") for number, database in enumerate(databases)]
    await Accounts(databases[0], clock).open("acme")
    review = AccountReview(databases[0], clock, spending=gateways[0].spending, tiers=USUAL_TIERS)
    await SpendLimit(databases[0], clock, review).set("acme", 1)
    yield gateways
    for database in databases:
        await database.close()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["need", "charge", "back", "expire"]),
            st.integers(0, 120),
            st.integers(0, 500),
        ),
        max_size=60,
    )
)
def test_levels_never_promise_more_than_the_limit(steps: list[tuple[int, str, int, int]]) -> None:
    """Whoever asks for whatever, charges a part of it, gives back or is gone: what was charged and what is lent are
    within the limit at any time."""
    limit = 300
    levels, charged, lost = [0, 0, 0], [0, 0, 0], [False] * 3
    for gateway, step, amount, stock in steps:
        if step == "charge":
            charged[gateway] += min(amount, levels[gateway] - charged[gateway])
        elif step == "expire":
            levels[gateway], lost[gateway] = charged[gateway], True
        else:
            kept = charged[gateway] if step == "back" else levels[gateway]
            need = kept + (amount if step == "need" else 0)
            elsewhere = sum(levels[one] - charged[one] for one in range(3) if one != gateway)
            standing = msgspec.structs.replace(
                PLAIN,
                own_limit_nanodollars=None,
                owed_limit_nanodollars=limit,
                charged_nanodollars=sum(charged),
                charged_here_nanodollars=charged[gateway],
                lent_elsewhere_nanodollars=elsewhere,
            )
            ask = MoneyAsk(
                account="acme", month=standing.month, kept_to=kept, least_to=need, need_to=need, want_to=need + stock
            )
            loan = lend(standing, ask)
            assert loan.level_nanodollars >= (need if need <= loan.highest_nanodollars else kept)
            levels[gateway] = loan.level_nanodollars
        assert sum(levels) <= limit


async def test_three_gateways_spend_one_dollar(gateways: list[Gateway], clock: ManualClock) -> None:
    """Requests of random prices at random gateways: never a nano-dollar more than there is, and in the end hardly
    anything is left."""
    chance = random.Random(4)
    refused = 0
    for turn in range(1_200):
        clock.advance(0.02)
        if turn % 50 == 49:
            for gateway in gateways:
                await gateway.look()
        served = await chance.choice(gateways).serve(chance.randint(1, 20) * DOLLAR // 5_000)
        refused += not served
    assert refused > 100
    spent = (await gateways[0].standing()).spent_nanodollars
    assert DOLLAR - DOLLAR // 1_000 < spent <= DOLLAR


async def test_far_from_the_limit_stock_is_kept(gateways: list[Gateway], clock: ManualClock) -> None:
    """So that requests need not ask; near it there is none, so that the last cent is anybody's."""
    gateway = gateways[0]
    for _ in range(50):
        clock.advance(0.1)
        assert await gateway.serve(DOLLAR // 1_000)
        await gateway.look()
    lent = gateway.budgets._purses["acme"].lent_nanodollars  # type: ignore[attr-defined]
    assert lent > 5 * DOLLAR // 1_000
    assert await gateways[1].serve(DOLLAR * 8 // 10)
    clock.advance(1)
    await gateway.look()
    left = (await gateway.standing()).limit_nanodollars - (await gateway.standing()).spent_nanodollars
    assert await gateways[2].serve(left * 9 // 10)


async def test_what_was_held_and_not_used_comes_back(gateways: list[Gateway], clock: ManualClock) -> None:
    """Within a look or two of the gateway that had borrowed it."""
    await gateways[0].begin()
    hold = await gateways[0].lender.hold("acme", DOLLAR)
    assert not await gateways[1].serve(1)
    hold.release()
    for _ in range(3):
        clock.advance(1)
        await gateways[0].lender.look_after()
    assert await gateways[1].serve(DOLLAR * 9 // 10)


async def test_an_orderly_end_gives_everything_back(gateways: list[Gateway]) -> None:
    """As if the gateway had never borrowed."""
    await gateways[0].begin()
    (await gateways[0].lender.hold("acme", DOLLAR)).release()
    await gateways[0].lender.close()
    assert await gateways[1].serve(DOLLAR)


async def test_a_round_that_is_cancelled_keeps_nobody_waiting(gateways: list[Gateway]) -> None:
    """Also one that waits for its turn at an account, and has its turn at others already."""
    one = gateways[0]
    await Accounts(one.database, one.clock).open("umbrella")
    for account in ("acme", "umbrella"):
        await one.budgets.learn(account)
        (await one.lender.hold(account, 1_000)).release()
    turn = one.lender._asking["umbrella"]
    await turn.acquire()
    first_in_line = asyncio.create_task(turn.acquire())
    await asyncio.sleep(0)
    looking = asyncio.create_task(one.lender.look_after())
    turn.release()  # and whoever is first in line has not taken it yet
    await asyncio.wait({looking}, timeout=0)
    looking.cancel()
    await asyncio.wait({looking})
    assert looking.cancelled()
    await first_in_line
    async with asyncio.timeout(60):
        await one.lender.hold("acme", DOLLAR // 2)


async def test_a_gateway_that_is_gone_keeps_its_slice_for_a_time(
    gateways_on_file: list[Gateway], clock: ManualClock
) -> None:
    """Then it is others'; and one that only lost its database has stopped to spend it long before."""
    gateways = gateways_on_file
    await gateways[0].begin()
    (await gateways[0].lender.hold("acme", DOLLAR // 2)).release()
    assert not await gateways[1].serve(DOLLAR * 6 // 10)
    clock.advance(TRUSTED_S + 1)
    purse = gateways[0].budgets.purse("acme")
    assert purse is not None
    assert purse.lacks(1)
    assert not await gateways[1].serve(DOLLAR * 6 // 10)
    clock.advance(KEPT_S - TRUSTED_S)
    assert await gateways[1].serve(DOLLAR * 6 // 10)


async def test_who_comes_back_late_asks_anew(gateways_on_file: list[Gateway], clock: ManualClock) -> None:
    """What it had is others' by then, and it gets what is left."""
    gateways = gateways_on_file
    await gateways[0].begin()
    (await gateways[0].lender.hold("acme", DOLLAR // 2)).release()
    clock.advance(KEPT_S + 1)
    assert await gateways[1].serve(DOLLAR * 6 // 10)
    assert not await gateways[0].serve(DOLLAR // 2)
    assert await gateways[0].serve(DOLLAR * 4 // 10)
    assert (await gateways[0].standing()).spent_nanodollars == DOLLAR


async def test_the_next_start_gives_back_what_a_killed_gateway_had(gateways: list[Gateway], tmp_path: Path) -> None:
    """At once, by the name that it finds in its directory; also for workers that there are no more."""
    for number, name in enumerate(("g0", "g1")):
        assert BorrowerFile(tmp_path / "journals", number).replace(name) == []
    await gateways[0].begin()
    (await gateways[0].lender.hold("acme", DOLLAR)).release()
    assert not await gateways[2].serve(1)
    gone = BorrowerFile(tmp_path / "journals", 0).replace("g2")
    assert gone == ["g0"]
    assert retired_borrowers(tmp_path / "journals", workers=1) == ["g1"]
    assert retired_borrowers(tmp_path / "journals", workers=1) == []
    await gateways[2].book.give_back(gone)
    assert await gateways[2].serve(DOLLAR)


async def test_a_stream_that_outgrows_its_hold_is_covered(gateways: list[Gateway], clock: ManualClock) -> None:
    """What it has used is used: it takes from what others may borrow, and it alone may go beyond the limit."""
    await gateways[0].begin()
    hold = await gateways[0].lender.hold("acme", DOLLAR // 2)
    hold.cover(DOLLAR * 9 // 10)
    clock.advance(1)
    await gateways[0].lender.look_after()
    assert not await gateways[1].serve(DOLLAR * 2 // 10)
    hold.settle(DOLLAR * 11 // 10)
    await gateways[0].post(DOLLAR * 11 // 10)
    assert not await gateways[1].serve(1)
    assert (await gateways[1].standing()).spent_nanodollars == DOLLAR * 11 // 10


async def test_what_was_borrowed_is_spent_while_the_database_is_away(
    gateways: list[Gateway], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then requests are refused with 503, not with 412."""
    await gateways[0].begin()
    (await gateways[0].lender.hold("acme", DOLLAR // 10)).release()

    async def away(*_: object) -> None:
        raise Overloaded("the database does not answer")

    monkeypatch.setattr(MoneyBook, "lend", away)
    (await gateways[0].lender.hold("acme", DOLLAR // 10)).release()
    with pytest.raises(Overloaded):
        await gateways[0].lender.hold("acme", DOLLAR)
    clock.advance(TRUSTED_S)
    with pytest.raises(Overloaded):
        await gateways[0].lender.hold("acme", 1)


async def test_the_next_month_is_borrowed_anew(gateways: list[Gateway], clock: ManualClock) -> None:
    """Nothing of the old month's levels counts in it."""
    assert await gateways[0].serve(DOLLAR)
    assert not await gateways[1].serve(1)
    clock.advance((BillingMonth.of(clock.wall_ns()).end_ns - clock.wall_ns()) / 1e9)
    for gateway in gateways:
        assert await gateway.serve(DOLLAR * 3 // 10)
    assert not await gateways[1].serve(DOLLAR * 3 // 10)


async def test_what_was_used_of_last_months_slice_is_not_lent_any_more(
    gateways_on_file: list[Gateway], clock: ManualClock
) -> None:
    """A gateway that has spent all it had borrowed, and has not asked in the new month, takes nothing from others."""
    gateways = gateways_on_file
    clock.advance((BillingMonth.of(clock.wall_ns()).end_ns - clock.wall_ns()) / 1e9 - 5)
    assert await gateways[0].serve(DOLLAR)
    clock.advance(10)
    assert await gateways[1].serve(DOLLAR)


async def test_what_has_expired_is_forgotten(gateways_on_file: list[Gateway], clock: ManualClock) -> None:
    """By whoever gives back next; what is still kept for somebody stays."""
    for number in (0, 1):
        await gateways_on_file[number].begin()
        (await gateways_on_file[number].lender.hold("acme", DOLLAR // 10)).release()
        clock.advance(KEPT_S - 1)
    await gateways_on_file[2].book.give_back([])
    reader = gateways_on_file[2].database.reader
    assert reader.execute("SELECT writer FROM money_leases").fetchall() == [("g1",)]


async def test_requests_that_come_together_share_what_is_left(gateways: list[Gateway]) -> None:
    """Borrowed for all of them at once; those for whom there is enough are served."""
    served = 0
    for gateway in gateways:
        await gateway.begin()
    for gateway in gateways:
        for _ in range(40):
            served += await gateway.serve(DOLLAR // 100)
    assert 95 <= served <= 100
