"""What is kept of an account's spending, in the transactions that post charges."""

import msgspec
import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, post_requests

from servery.billing.billing_month import BillingMonth
from servery.billing.charged import Charged
from servery.billing.spend_tiers import USUAL_TIERS
from servery.billing.spending import Spending
from servery.billing.standing import Standing
from servery.control.account_review import AccountReview
from servery.control.credits import Credits
from servery.control.open_account import create_key
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.ledger.ledger import Ledger
from servery.store.database import Database
from servery.tenancy.api_keys import CreatedKey

DOLLAR = 1_000_000_000


@pytest.fixture
async def key(database: Database, clock: ManualClock) -> CreatedKey:
    return await create_key(database, clock, "acme", open_if_new=True)


@pytest.fixture
def spending(database: Database, clock: ManualClock) -> Spending:
    return Spending(database, clock, writer="here")


@pytest.fixture
def giving(database: Database, clock: ManualClock, spending: Spending) -> Credits:
    review = AccountReview(database, clock, spending=spending, tiers=USUAL_TIERS)
    return Credits(database, clock, spending=spending, review=review)


async def standing(spending: Spending, clock: ManualClock, account: str = "acme") -> Standing:
    return (await spending.read([account], BillingMonth.of(clock.wall_ns()).number))[account]


async def test_charges_are_counted_once_by_month(
    key: CreatedKey, spending: Spending, database: Database, clock: ManualClock
) -> None:
    """In the month in which they ended; what is posted twice counts once; others' accounts are not touched."""
    await post_requests(database, clock, key, count=3)
    await post_requests(database, clock, key, count=3)
    await post_requests(database, clock, key, days_ago=40)
    now = await standing(spending, clock)
    assert (now.charged_nanodollars, now.charged_here_nanodollars) == (3 * CHARGE_NANODOLLARS, 0)
    assert now.qualifying_nanodollars == 4 * CHARGE_NANODOLLARS
    assert await spending.read(["nobody"], now.month) == {}


async def test_a_process_tells_its_own_charges(
    spending: Spending, key: CreatedKey, database: Database, clock: ManualClock
) -> None:
    """From those that others have posted."""
    other = Spending(database, clock, writer="elsewhere")
    for who, amount in ((spending, 5), (other, 7), (spending, 1)):
        charge = Charged("chatcmpl-x", "acme", amount, clock.wall_ns())
        await database.write(lambda connection, who=who, charge=charge: who.charged_within(connection, [charge]))
    mine, theirs = await standing(spending, clock), await standing(other, clock)
    assert (mine.charged_nanodollars, mine.charged_here_nanodollars) == (13, 6)
    assert (theirs.charged_nanodollars, theirs.charged_here_nanodollars) == (13, 7)


async def test_credits_pay_first(
    key: CreatedKey, spending: Spending, giving: Credits, database: Database, clock: ManualClock
) -> None:
    """As far as they reach; what is beyond is owed. The books hold, and say so."""
    await giving.grant("acme", 2 * CHARGE_NANODOLLARS + 1)
    await post_requests(database, clock, key, count=5)
    ledger = Ledger(database, clock)
    assert ledger.balance_nanodollars("credits/acme") == 0
    assert ledger.balance_nanodollars("accounts/acme") == 3 * CHARGE_NANODOLLARS - 1
    assert ledger.balance_nanodollars("grants") == 2 * CHARGE_NANODOLLARS + 1
    now = await standing(spending, clock)
    assert (now.credits_left_nanodollars, now.credit_used_nanodollars) == (0, 2 * CHARGE_NANODOLLARS + 1)
    assert now.limit_nanodollars == 50 * DOLLAR + 2 * CHARGE_NANODOLLARS + 1
    assert now.qualifying_nanodollars == 5 * CHARGE_NANODOLLARS, "money that was added and spent counts once"
    assert verify(database).holds


async def test_what_charges_use_does_not_change_the_limit(
    key: CreatedKey, spending: Spending, giving: Credits, database: Database, clock: ManualClock
) -> None:
    """The credits of a month are those left and those it has used: a constant, so that memory can rely on it."""
    await giving.grant("acme", 2 * CHARGE_NANODOLLARS)
    limits = []
    for count in range(1, 5):
        await post_requests(database, clock, key, count=count)
        limits.append((await standing(spending, clock)).limit_nanodollars)
    assert limits == [50 * DOLLAR + 2 * CHARGE_NANODOLLARS] * 4


async def test_several_accounts_in_one_commit(
    spending: Spending, giving: Credits, database: Database, clock: ManualClock
) -> None:
    """Each pays from its own credits, each in its own months."""
    for account in ("acme", "beta"):
        await create_key(database, clock, account, open_if_new=True)
    await giving.grant("beta", 10)
    last_month_ns = BillingMonth.of(clock.wall_ns()).start_ns - 1
    charges = [
        Charged("r1", "acme", 4, clock.wall_ns()),
        Charged("r2", "beta", 6, clock.wall_ns()),
        Charged("r3", "beta", 7, last_month_ns),
    ]
    await database.write(lambda connection: spending.charged_within(connection, charges))
    assert (await standing(spending, clock)).credit_used_nanodollars == 0
    beta = await standing(spending, clock, "beta")
    assert (beta.charged_nanodollars, beta.credit_used_nanodollars) == (6, 3), "the older month paid first"


async def test_alerts_are_the_amounts_that_somebody_waits_for(
    key: CreatedKey, spending: Spending, database: Database, clock: ManualClock
) -> None:
    """80 % of the limit, the account's own, and what makes its tier rise."""
    now = await standing(spending, clock)
    assert set(now.alerts_nanodollars) == {40 * DOLLAR, 50 * DOLLAR}
    top = msgspec.structs.replace(now, qualifying_nanodollars=10**15)
    assert top.limit_nanodollars == now.limit_nanodollars
