"""Reversals: in the books, and in what is made of them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.books.sample_usage import CHARGE_NANODOLLARS, post_requests

from servery.billing.spend_tiers import SpendTiers
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.credits import Credits
from servery.control.open_account import create_key
from servery.control.reverse_transfer import TransferReversal
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import InvalidRequest, NotFound
from servery.ledger.ledger import Ledger
from servery.store.connection import Connection
from servery.store.database import Database
from servery.tenancy.api_keys import CreatedKey

BUDGET = 50 * 10**9


class Money:
    """An account, and what can be done to its money."""

    def __init__(
        self, database: Database, clock: ManualClock, spending: Spending, review: AccountReview, key: CreatedKey
    ) -> None:
        self.database, self.clock, self.key, self.review = database, clock, key, review
        self.credits = Credits(database, clock, spending=spending, review=review)
        self.reversal = TransferReversal(database, clock, spending=spending, review=review)
        self.ledger = Ledger(database, clock)

    def request_id(self, number: int) -> str:
        return f"chatcmpl-{self.key.api_key.key_id}-standard-0-0-{number}"

    async def owed(self) -> tuple[int, int]:
        """What is owed, and what is left of credits."""
        return self.ledger.balance_nanodollars("accounts/acme"), -self.ledger.balance_nanodollars("credits/acme")

    async def room(self) -> int:
        standing = await self.review.standing("acme")
        return standing.limit_nanodollars - standing.spent_nanodollars


@pytest.fixture
async def money(database: Database, clock: ManualClock, spending: Spending, review: AccountReview) -> Money:
    key = await create_key(database, clock, "acme", open_if_new=True)
    return Money(database, clock, spending, review, key)


async def test_a_reversed_charge_is_not_owed(money: Money) -> None:
    """The budget has its room again; reversing again changes nothing."""
    await post_requests(money.database, money.clock, money.key, count=2)
    first = await money.reversal.reverse(money.request_id(0))
    assert await money.reversal.reverse(money.request_id(0)) == first
    assert await money.owed() == (CHARGE_NANODOLLARS, 0)
    assert await money.room() == BUDGET - CHARGE_NANODOLLARS
    assert verify(money.database).holds


async def test_the_last_nanodollar_comes_back(money: Money) -> None:
    """That a credit has paid of a charge."""
    await money.credits.grant("acme", 1)
    await post_requests(money.database, money.clock, money.key)
    await money.reversal.reverse(money.request_id(0))
    assert await money.owed() == (0, 1)


async def test_what_credits_have_paid_comes_back_as_credit(money: Money) -> None:
    """Nobody is owed money outside of their credits."""
    await money.credits.grant("acme", 3 * CHARGE_NANODOLLARS)
    await post_requests(money.database, money.clock, money.key, count=2)
    await money.reversal.reverse(money.request_id(0))
    assert await money.owed() == (0, 2 * CHARGE_NANODOLLARS)
    assert await money.room() == BUDGET + 2 * CHARGE_NANODOLLARS
    assert verify(money.database).holds


async def test_a_reversal_can_be_reversed(money: Money) -> None:
    """Then the charge is owed after all."""
    await post_requests(money.database, money.clock, money.key)
    undone = await money.reversal.reverse(money.request_id(0))
    await money.reversal.reverse(undone.id)
    assert await money.owed() == (CHARGE_NANODOLLARS, 0)
    assert await money.room() == BUDGET - CHARGE_NANODOLLARS


async def test_a_credit_is_taken_back_though_it_is_used(money: Money) -> None:
    """Then what it has paid counts towards the budget."""
    credit = await money.credits.grant("acme", 2 * CHARGE_NANODOLLARS)
    await post_requests(money.database, money.clock, money.key)
    await money.reversal.reverse(credit.id)
    assert await money.owed() == (0, -CHARGE_NANODOLLARS)
    assert await money.room() == BUDGET - CHARGE_NANODOLLARS
    assert (await money.review.standing("acme")).qualifying_nanodollars == 0


async def test_what_follows_from_others_is_not_reversed(money: Money) -> None:
    """Nor what is not there."""
    await money.credits.grant("acme", CHARGE_NANODOLLARS)
    await post_requests(money.database, money.clock, money.key)
    with pytest.raises(InvalidRequest):
        await money.reversal.reverse(f"credit_use/{money.request_id(0)}")
    with pytest.raises(NotFound):
        await money.reversal.reverse("chatcmpl-none")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.sampled_from(["charge", "grant", "reverse", "back"]), st.integers(0, 7)), max_size=12)
)
async def test_any_sequence_keeps_the_projection_true(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The room is the tier's budget with all credits that stand, less all charges that stand; the books hold."""
    clock = ManualClock()
    async with Database.open(tmp_path_factory.mktemp("any") / "servery.db") as database:
        tiers = SpendTiers(thresholds_nanodollars=(0, 10**17, 10**17, 10**17), budgets_nanodollars=(BUDGET,) * 4)
        spending = Spending(database, clock, writer="here", tiers=tiers)
        review = AccountReview(database, clock, spending=spending, tiers=tiers)
        money = Money(database, clock, spending, review, await create_key(database, clock, "acme", open_if_new=True))
        charged, undone, granted = 0, 0, []
        for step, which in steps:
            if step == "charge":
                charged += 1
                await post_requests(database, clock, money.key, count=charged)
            elif step == "grant":
                granted.append((await money.credits.grant("acme", (which + 1) * CHARGE_NANODOLLARS // 2)).nanodollars)
            elif step == "reverse" and undone < charged:
                await money.reversal.reverse(money.request_id(undone))
                undone += 1
            elif step == "back" and granted and undone:
                await money.reversal.reverse(f"reversal/{money.request_id(undone - 1)}")
                break
        else:
            assert await money.room() == BUDGET + sum(granted) - (charged - undone) * CHARGE_NANODOLLARS
        owed, left = await money.owed()
        assert owed >= 0
        assert left >= 0
        report = verify(database)
        assert report.holds, report.findings

        def total(connection: Connection) -> int:
            return int(connection.execute("SELECT sum(nanodollars) FROM balances").fetchone()[0] or 0)

        assert await database.look_up(total) == 0
