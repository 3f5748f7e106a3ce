"""Credits and codes."""

import asyncio

import pytest

from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.credit_codes import CreditCodes
from servery.control.credits import Credits
from servery.control.open_account import open_account
from servery.control.reverse_transfer import TransferReversal
from servery.control.spend_limit import SpendLimit
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound, PreconditionFailed, ServeryError
from servery.ledger.ledger import Ledger
from servery.store.database import Database
from servery.tenancy.accounts import Accounts

DOLLAR = 1_000_000_000


@pytest.fixture
async def giving(database: Database, clock: ManualClock, spending: Spending, review: AccountReview) -> Credits:
    for account in ("acme", "beta"):
        await open_account(database, clock, account)
    return Credits(database, clock, spending=spending, review=review)


@pytest.fixture
def codes(database: Database, clock: ManualClock) -> CreditCodes:
    return CreditCodes(database, clock)


async def test_a_credit_is_a_liability(
    giving: Credits, review: AccountReview, database: Database, clock: ManualClock
) -> None:
    """It stands in the books, in the list and in what may be spent."""
    given = await giving.grant("acme", 25 * DOLLAR, description="welcome")
    assert Ledger(database, clock).balance_nanodollars("credits/acme") == -25 * DOLLAR
    assert await giving.list("acme") == [given]
    assert (await review.standing("acme")).limit_nanodollars == 75 * DOLLAR
    assert verify(database).holds


@pytest.mark.parametrize("nanodollars", [0, -1, 10**18 + 1])
async def test_an_amount_that_is_none_is_refused(giving: Credits, nanodollars: int) -> None:
    """Nothing, less than nothing, and more than the books can hold."""
    with pytest.raises(InvalidRequest):
        await giving.grant("acme", nanodollars)


async def test_nobody_is_given_nothing(giving: Credits) -> None:
    """An account that does not exist gets none."""
    with pytest.raises(NotFound):
        await giving.grant("nobody", 1)


async def test_added_money_makes_a_tier_rise(
    giving: Credits, database: Database, clock: ManualClock, review: AccountReview
) -> None:
    """At once, and not back; unless the operator has pinned it."""
    accounts = Accounts(database, clock)
    await SpendLimit(database, clock, review).pin_tier("beta", 1)
    for account in ("acme", "beta"):
        await giving.grant(account, 49 * DOLLAR)
        assert (await accounts.get(account)).spend_tier == 1
        await giving.grant(account, 1 * DOLLAR)
    assert ((await accounts.get("acme")).spend_tier, (await accounts.get("beta")).spend_tier) == (2, 1)
    await SpendLimit(database, clock, review).pin_tier("beta", None)
    assert (await accounts.get("beta")).spend_tier == 2
    await giving.grant("acme", 4950 * DOLLAR)
    assert (await accounts.get("acme")).spend_tier == 4


async def test_a_tier_does_not_fall(
    giving: Credits, database: Database, clock: ManualClock, spending: Spending, review: AccountReview
) -> None:
    """When the money that made it rise is taken back."""
    given = await giving.grant("acme", 600 * DOLLAR)
    assert (await Accounts(database, clock).get("acme")).spend_tier == 3
    await TransferReversal(database, clock, spending=spending, review=review).reverse(given.id)
    await review.run("acme")
    assert (await Accounts(database, clock).get("acme")).spend_tier == 3


async def test_a_prepaid_account_is_funded_by_credits(
    giving: Credits, database: Database, clock: ManualClock, review: AccountReview
) -> None:
    """Without any it may hardly ask; the first one changes that."""
    accounts = Accounts(database, clock)
    assert (await SpendLimit(database, clock, review).set_prepaid("acme", prepaid=True)).funded is False
    await giving.grant("acme", 1)
    assert (await accounts.get("acme")).funded


async def test_a_code_is_redeemed_once_by_each_account(giving: Credits, codes: CreditCodes) -> None:
    """As often as it says, and not by the same account again."""
    created = await codes.create(5 * DOLLAR, description="spring", redemptions_max=2)
    given = await giving.redeem("acme", created.code)
    assert (given.nanodollars, given.code_id, given.description) == (5 * DOLLAR, created.credit_code.id, "spring")
    with pytest.raises(AlreadyExists):
        await giving.redeem("acme", created.code)
    await giving.redeem("beta", created.code)
    assert [code.redemptions for code in await codes.list()] == [2]
    assert [len(await giving.list(account)) for account in ("acme", "beta")] == [1, 1]


async def test_the_last_redemption_goes_to_one(giving: Credits, codes: CreditCodes) -> None:
    """However many ask for it at once; who comes too late gets nothing."""
    created = await codes.create(DOLLAR)
    outcomes = await asyncio.gather(
        *(giving.redeem(account, created.code) for account in ("acme", "beta", "acme", "beta")), return_exceptions=True
    )
    assert sum(not isinstance(outcome, ServeryError) for outcome in outcomes) == 1
    assert sum([len(await giving.list(account)) for account in ("acme", "beta")]) == 1


async def test_a_code_that_is_over(giving: Credits, codes: CreditCodes, clock: ManualClock) -> None:
    """Expired, disabled or made up."""
    expiring = await codes.create(DOLLAR, expires_ns=clock.wall_ns() + 10**9)
    disabled = await codes.create(DOLLAR)
    await codes.disable(disabled.credit_code.id)
    clock.advance(1)
    for code in (expiring.code, disabled.code):
        with pytest.raises(PreconditionFailed):
            await giving.redeem("acme", code)
    with pytest.raises(NotFound):
        await giving.redeem("acme", "sc_madeup")
    with pytest.raises(NotFound):
        await codes.disable("code-none")
    assert await giving.list("acme") == []


async def test_a_code_is_a_secret(codes: CreditCodes) -> None:
    """Shown once; not in a repr or a list."""
    created = await codes.create(DOLLAR)
    assert created.code not in repr(created) + repr(await codes.list())
    assert created.code.startswith(created.credit_code.prefix)
    for fault in ({"redemptions_max": 0}, {"expires_ns": 1}):
        with pytest.raises(InvalidRequest):
            await codes.create(DOLLAR, **fault)
