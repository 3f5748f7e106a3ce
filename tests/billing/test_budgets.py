"""The budgets of many accounts, as one process holds them."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest
from tests.billing.test_budget import PLAIN

from servery.billing.billing_month import BillingMonth
from servery.billing.budget import Purse
from servery.billing.budgets import Budgets
from servery.billing.standing import Standing
from servery.core.clock import ManualClock
from servery.core.errors import NotFound, PreconditionFailed


class Books:
    """Standings that a test sets."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}
        self.asked: list[list[str]] = []

    def set(self, account: str, **changes: object) -> None:
        self.standings[account] = msgspec.structs.replace(PLAIN, account=account, **changes)

    async def read(self, accounts: Sequence[str], month: int) -> Mapping[str, Standing]:
        self.asked.append(list(accounts))
        return {
            account: msgspec.structs.replace(self.standings[account], month=month)
            for account in accounts
            if account in self.standings
        }


@pytest.fixture
def books() -> Books:
    books = Books()
    books.set("acme")
    return books


@pytest.fixture
async def budgets(books: Books, clock: ManualClock) -> Budgets:
    budgets = Budgets(books, clock)
    await budgets.learn("acme")
    return budgets


async def test_an_account_is_learnt_once(budgets: Budgets, books: Books) -> None:
    """And asked about no more on requests; one that does not exist is told of."""
    for _ in range(3):
        budgets.hold("acme", 1).release()
    assert books.asked == [["acme"]]
    assert budgets.knows("acme")
    with pytest.raises(NotFound):
        await budgets.learn("nobody")
    assert not budgets.knows("nobody")


async def test_there_is_room_or_there_is_none(budgets: Budgets) -> None:
    """To the nano-dollar; refused is what does not fit, and everything once nothing is left."""
    held = budgets.hold("acme", 100)
    for amount in (0, 1):
        with pytest.raises(PreconditionFailed, match="does not cover this request"):
            budgets.hold("acme", amount)
    held.settle(99)
    with pytest.raises(PreconditionFailed):
        budgets.hold("acme", 2)
    budgets.hold("acme", 1).settle(1)
    with pytest.raises(PreconditionFailed, match="reached its monthly spending limit"):
        budgets.hold("acme", 0)
    with pytest.raises(PreconditionFailed):
        budgets.check("acme")
    assert budgets.alerts == {"acme"}


async def test_a_prepaid_account_is_told_of_its_credits(budgets: Budgets, books: Books) -> None:
    """What ends is named as what it is."""
    books.set("beta", prepaid=True, owed_limit_nanodollars=0, credits_nanodollars=10)
    await budgets.learn("beta")
    budgets.hold("beta", 10).settle(10)
    with pytest.raises(PreconditionFailed, match="its credits are used up"):
        budgets.hold("beta", 1)


async def test_money_that_is_added_counts_after_a_refresh(budgets: Budgets, books: Books) -> None:
    """So an account resumes by itself."""
    budgets.hold("acme", 100).settle(100)
    books.set("acme", credits_nanodollars=50, charged_nanodollars=100, charged_here_nanodollars=100)
    await budgets.refresh(["acme", "nobody"])
    budgets.hold("acme", 50).release()


async def test_the_next_month_resumes_too(budgets: Budgets, clock: ManualClock) -> None:
    """At its first nanosecond in UTC, without asking anybody."""
    budgets.hold("acme", 100).settle(100)
    end_ns = BillingMonth.of(clock.wall_ns()).end_ns
    clock.advance((end_ns - clock.wall_ns()) / 1e9)
    assert clock.wall_ns() == end_ns
    budgets.check("acme")
    budgets.hold("acme", 100).release()


def beside_others(books: Books, clock: ManualClock) -> Budgets:
    """Of one of several who spend."""
    return Budgets(books, clock, new_purse=lambda standing: Purse(standing, now_ns=clock.wall_ns()))


async def test_who_spends_alone_asks_about_nobody_again(budgets: Budgets, books: Books) -> None:
    """Whatever is spent: what an account has charged is known."""
    budgets.hold("acme", 60).settle(60)
    await budgets.refresh()
    assert books.asked == [["acme"]]
    with pytest.raises(PreconditionFailed):
        budgets.hold("acme", 41)


async def test_who_was_active_is_looked_at(books: Books, clock: ManualClock) -> None:
    """Where others may have charged them too; nobody else is asked about."""
    budgets = beside_others(books, clock)
    await budgets.learn("acme")
    books.set("beta")
    await budgets.learn("beta")
    books.asked.clear()
    await budgets.refresh()
    assert books.asked == []
    budgets.hold("acme", 1).release()
    books.set("acme", charged_nanodollars=95)
    await budgets.refresh()
    await budgets.refresh()
    assert books.asked == [["acme"]]
    with pytest.raises(PreconditionFailed):
        budgets.hold("acme", 6)


async def test_many_who_were_active_are_looked_at_in_turn(books: Books, clock: ManualClock) -> None:
    """A refresh reads a few together, and not all of them: whoever waits longest is next, and nobody is left out."""
    budgets = beside_others(books, clock)
    accounts = [f"tenant-{number}" for number in range(1_500)]
    for account in accounts:
        books.set(account)
        await budgets.learn(account)
        budgets.hold(account, 1).release()
    books.asked.clear()
    await budgets.refresh()
    budgets.hold(accounts[0], 1).release()  # active again: behind those who have waited
    first = [account for asked in books.asked for account in asked]
    assert first == accounts[:1_024]
    assert max(len(asked) for asked in books.asked) <= 128
    books.asked.clear()
    await budgets.refresh()
    assert [account for asked in books.asked for account in asked] == [*accounts[1_024:], accounts[0]]


async def test_all_who_are_named_are_looked_at(books: Books, clock: ManualClock) -> None:
    """Each of them once, in pieces."""
    budgets = Budgets(books, clock)
    accounts = [f"tenant-{number}" for number in range(300)]
    for account in accounts:
        books.set(account)
        await budgets.learn(account)
    books.asked.clear()
    await budgets.refresh(accounts)
    assert [account for asked in books.asked for account in asked] == accounts


async def test_memory_is_bounded(books: Books, clock: ManualClock) -> None:
    """Accounts that are still and hold nothing make room for others; busy ones stay."""
    budgets = Budgets(books, clock, max_tracked=2)
    for account in ("a", "b", "c"):
        books.set(account)
    await budgets.learn("a")
    held = budgets.hold("a", 1)
    await budgets.learn("b")
    clock.advance(61)
    await budgets.learn("c")
    assert [budgets.knows(account) for account in "abc"] == [True, False, True]
    held.release()
