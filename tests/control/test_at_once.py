"""Three gateways change one account's money and standing at the same moment: nobody is overlooked, and books hold."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from pathlib import Path

import pytest

from servery.billing.billing_month import BillingMonth
from servery.billing.old_spending import OldSpending
from servery.billing.price_versions import PriceVersions
from servery.billing.spend_tiers import USUAL_TIERS
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.credit_codes import CreditCodes
from servery.control.credits import Credits
from servery.control.invoicing import Invoicing
from servery.control.open_account import open_account
from servery.control.reverse_transfer import TransferReversal
from servery.control.spend_limit import SpendLimit
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists, NotFound, PreconditionFailed
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.suspend_state import SuspendState
from servery.core.usage import Usage
from servery.ledger.ledger import Ledger
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.tenancy.api_keys import ApiKeys
from servery.tenancy.permissions import Role
from servery.tenancy.users import Users

DOLLAR = 1_000_000_000
MODEL, PRICE = "accounts/servery/models/m", Price(1_000_000, 500_000, 4_000_000)
CHARGE = 1_000_000
"""Of each request: a thousand prompt tokens."""


class Gateway:
    """One of several, with a connection of its own."""

    def __init__(self, database: Database, clock: ManualClock, name: str) -> None:
        self.database, self.clock, self.name = database, clock, name
        self.spending = Spending(database, clock, writer=name)
        self.review = AccountReview(database, clock, spending=self.spending, tiers=USUAL_TIERS)
        self.credits = Credits(database, clock, spending=self.spending, review=self.review)
        self.codes = CreditCodes(database, clock)
        self.limit = SpendLimit(database, clock, self.review)
        self.accounts = Accounts(database, clock)
        self.users = Users(database, clock)
        self.reversal = TransferReversal(database, clock, spending=self.spending, review=self.review)
        self.invoicing = Invoicing(database, clock)
        self.meter = Meter(database, clock, spending=self.spending)
        self.versions = PriceVersions(database, clock)
        self.posted = 0

    async def use(self) -> str:
        """Post a request of ``a``; its id."""
        self.posted += 1
        record = UsageRecord(
            request_id=f"{self.name}-{self.posted}",
            account="a",
            key_id="key_1",
            model=MODEL,
            serving_path=ServingPath.STANDARD,
            price_id=await self.versions.record(MODEL, ServingPath.STANDARD, PRICE),
            usage=Usage(1_000, 0, 0),
            outcome=Outcome.COMPLETED,
            started_ns=self.clock.wall_ns(),
            finished_ns=self.clock.wall_ns(),
            replica="replica-1",
            queue_wait_us=0,
        )
        await self.meter.post(record, PRICE)
        return record.request_id


@pytest.fixture
async def three(place: Path | str, clock: ManualClock) -> AsyncIterator[list[Gateway]]:
    databases = [Database.open(place) for _ in range(3)]
    gateways = [Gateway(database, clock, f"g{number}") for number, database in enumerate(databases)]
    await open_account(databases[0], clock, "a")
    await gateways[0].versions.record(MODEL, ServingPath.STANDARD, PRICE)
    yield gateways
    assert verify(databases[0]).findings == ()
    for database in databases:
        await database.close()


async def kinds(attempts: Iterable[Awaitable[object]]) -> list[type]:
    """What came of each: the error's class, or the result's."""
    return [type(each) for each in await asyncio.gather(*attempts, return_exceptions=True)]


async def test_a_code_for_twenty_is_redeemed_by_fifty(three: list[Gateway]) -> None:
    """By accounts of their own: twenty get it, all others are told that it is used up."""
    for number in range(50):
        await open_account(three[0].database, three[0].clock, f"b{number}")
    code = (await three[0].codes.create(DOLLAR, redemptions_max=20)).code
    came = await kinds(three[number % 3].credits.redeem(f"b{number}", code) for number in range(50))
    assert came.count(PreconditionFailed) == 30
    assert len(set(came)) == 2
    assert [found.redemptions for found in await three[1].codes.list()] == [20]
    given = [await three[2].credits.list(f"b{number}") for number in range(50)]
    assert sum(map(len, given)) == 20


async def test_one_account_redeems_a_code_fifty_times(three: list[Gateway]) -> None:
    """It gets it once, however many it is for, and is told so; what the code is for is left to others."""
    code = (await three[0].codes.create(DOLLAR, redemptions_max=50)).code
    came = await kinds(three[number % 3].credits.redeem("a", code) for number in range(50))
    assert came.count(AlreadyExists) == 49
    assert [found.redemptions for found in await three[1].codes.list()] == [1]
    assert Ledger(three[2].database, three[2].clock).balance_nanodollars("credits/a") == -DOLLAR


async def test_credits_that_come_while_charges_are_posted(three: list[Gateway]) -> None:
    """Each charge is paid by what is there when it is posted: nothing is used twice, and none is left over that was
    there before the last charges."""
    await asyncio.gather(
        *(gateway.use() for gateway in three for _ in range(60)),
        *(three[number % 3].credits.grant("a", 7 * CHARGE) for number in range(12)),
    )
    for _ in range(5):
        await three[0].use()
    ledger = Ledger(three[0].database, three[0].clock)
    owed, left = ledger.balance_nanodollars("accounts/a"), -ledger.balance_nanodollars("credits/a")
    used = 12 * 7 * CHARGE - left
    assert owed + used == 185 * CHARGE
    assert (owed >= 0, left >= 0) == (True, True)
    assert used >= 5 * CHARGE


async def test_credits_are_used_by_who_comes_first(three: list[Gateway]) -> None:
    """Three post at once what credits do for one of: what is used is what there was, to the nano-dollar."""
    ledger = Ledger(three[0].database, three[0].clock)
    for _ in range(20):
        await three[0].credits.grant("a", CHARGE)
        await asyncio.gather(*(gateway.use() for gateway in three))
        assert ledger.balance_nanodollars("credits/a") == 0
    assert ledger.balance_nanodollars("accounts/a") == 40 * CHARGE


async def test_charges_are_reversed_by_all(three: list[Gateway]) -> None:
    """Each once; everybody is told of the same reversal."""
    await three[0].credits.grant("a", 10 * CHARGE)
    ids = [await three[number % 3].use() for number in range(12)]
    for each in ids[:9]:
        made = await asyncio.gather(*(gateway.reversal.reverse(each) for gateway in three))
        assert {reversal.id for reversal in made} == {f"reversal/{each}"}
    standing = await three[1].review.standing("a")
    assert (standing.charged_nanodollars, standing.reversed_nanodollars) == (12 * CHARGE, 9 * CHARGE)


async def test_changes_of_an_account_do_not_undo_each_other(three: list[Gateway]) -> None:
    """Suspended and resumed in a loop at one gateway, its limit is set at another, its tier pinned and money added at
    the third: in the end all of it is as it was set last."""
    first, second, third = three

    async def suspend_and_resume() -> None:
        for _ in range(20):
            await first.review.suspend("a", SuspendState.BLOCKED_BY_ABUSE_RULE)
            await first.review.suspend("a", SuspendState.UNSUSPENDED)
        await first.review.suspend("a", SuspendState.BLOCKED_BY_ABUSE_RULE)

    async def limit() -> None:
        for dollars in range(1, 41):
            await second.limit.set("a", dollars)

    async def pin_and_add() -> None:
        for number in range(20):
            await third.limit.pin_tier("a", 2 + number % 2)
            await third.credits.grant("a", DOLLAR)
        await third.limit.set_prepaid("a", prepaid=True)

    await asyncio.gather(suspend_and_resume(), limit(), pin_and_add())
    account = await first.accounts.get("a")
    assert account.suspend_state is SuspendState.BLOCKED_BY_ABUSE_RULE
    assert account.spend_limit_dollars == 40
    assert (account.spend_tier, account.tier_pinned, account.prepaid, account.funded) == (3, True, True, True)


async def test_what_is_set_in_one_moment_is_all_set(three: list[Gateway]) -> None:
    """By whatever way: a name, a limit, a suspension."""
    for number in range(1, 31):
        state = (SuspendState.UNSUSPENDED, SuspendState.FAILED_PAYMENTS)[number % 2]
        await asyncio.gather(
            three[0].accounts.suspend("a", state),
            three[1].accounts.update("a", display_name=f"A {number}"),
            three[2].limit.set("a", number),
        )
        account = await three[0].accounts.get("a")
        assert (account.suspend_state, account.display_name) == (state, f"A {number}")
        assert account.spend_limit_dollars == number


async def test_who_is_given_credits_is_funded(three: list[Gateway]) -> None:
    """Whoever looks at the account in the same moment, and saw none."""
    for number in range(40):
        await open_account(three[0].database, three[0].clock, f"b{number}")
        await three[0].limit.set_prepaid(f"b{number}", prepaid=True)
        await asyncio.gather(
            three[0].credits.grant(f"b{number}", DOLLAR),
            three[1].review.run(f"b{number}"),
            three[2].review.run(f"b{number}"),
        )
        assert (await three[0].accounts.get(f"b{number}")).funded


async def test_a_user_who_goes_leaves_no_key(three: list[Gateway]) -> None:
    """Not one that was made in the same moment."""
    keys = ApiKeys(three[1].database, three[1].clock)
    for number in range(15):
        await three[0].users.create("a", f"u{number}")
        await kinds([three[0].users.delete("a", f"u{number}"), keys.create("a", user=f"u{number}")])
        assert all(key.revoked_ns is not None for key in await keys.list("a", user=f"u{number}"))


async def test_the_last_two_admins_step_down_at_once(three: list[Gateway]) -> None:
    """One of them stays."""
    for number in range(3):
        await three[0].users.create("a", f"admin{number}", role=Role.ADMIN)
    await three[0].users.update("a", "default", role=Role.USER)
    came = await kinds(three[number].users.update("a", f"admin{number}", role=Role.USER) for number in range(3))
    assert came.count(PreconditionFailed) == 1
    assert [user.role for user in await three[1].users.list("a")].count(Role.ADMIN) == 1


async def test_a_user_is_changed_in_two_ways_at_once(three: list[Gateway]) -> None:
    """Neither is lost."""
    await three[0].users.create("a", "ada")
    for number in range(10):
        await asyncio.gather(
            three[0].users.update("a", "ada", display_name=f"Ada {number}"),
            three[1].users.update("a", "ada", email=f"ada{number}@a.test"),
        )
        user = await three[2].users.get("a", "ada")
        assert (user.display_name, user.email) == (f"Ada {number}", f"ada{number}@a.test")


async def test_one_name_is_given_once(three: list[Gateway]) -> None:
    """An account and a user that several make at the same moment: one does, the others are told that it is there."""
    came = await kinds(gateway.users.create("a", "ada") for gateway in three for _ in range(4))
    assert came.count(AlreadyExists) == 11
    came = await kinds(gateway.accounts.open("new") for gateway in three for _ in range(4))
    assert came.count(AlreadyExists) == 11


async def test_a_month_is_closed_by_all(three: list[Gateway], clock: ManualClock) -> None:
    """Its invoices are issued once, while charges are posted, and numbered without a gap."""
    month = BillingMonth.of(clock.wall_ns())
    for number in range(30):
        await open_account(three[0].database, clock, f"b{number}")
        await three[number % 3].credits.grant(f"b{number}", DOLLAR)
    await asyncio.gather(*(gateway.use() for gateway in three for _ in range(10)))
    clock.advance((month.end_ns - clock.wall_ns()) / 1e9 + 1)
    issued = await asyncio.gather(
        *(gateway.invoicing.close(month) for gateway in three), *(gateway.use() for gateway in three)
    )
    assert sum(each for each in issued if isinstance(each, int)) == 1
    with pytest.raises(NotFound):
        await three[0].invoicing.get("b1", month)


async def test_old_months_are_put_together_while_they_are_charged(three: list[Gateway], clock: ManualClock) -> None:
    """By all gateways at once, and with charges that come late: no sum changes; the last two months keep the rows of
    each process."""
    first = BillingMonth.of(clock.wall_ns())
    for _ in range(3):
        await asyncio.gather(*(gateway.use() for gateway in three))
        month = BillingMonth.of(clock.wall_ns())
        clock.advance((month.end_ns - clock.wall_ns()) / 1e9 + 1)
    now = BillingMonth.of(clock.wall_ns())
    clock._wall_ns = first.start_ns + 10**9
    await asyncio.gather(
        *(OldSpending(gateway.database).fold(now) for gateway in three),
        *(gateway.use() for gateway in three for _ in range(10)),
    )
    await OldSpending(three[0].database).fold(now)
    rows = three[0].database.reader.execute("SELECT month, writer, charged_nanodollars FROM spending_months").fetchall()
    assert {row for row in rows if row[0] < now.number - 1} == {
        (first.number, "", 33 * CHARGE),
        (first.number + 1, "", 3 * CHARGE),
    }
    assert {row for row in rows if row[0] == now.number - 1} == {
        (now.number - 1, f"g{number}", CHARGE) for number in range(3)
    }
