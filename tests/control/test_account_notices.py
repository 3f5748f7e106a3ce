"""What accounts are told when their standing changes."""

import msgspec
import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, post_requests

from servery.billing.charged import Charged
from servery.billing.spending import Spending
from servery.catalog.source import default_catalog
from servery.control.account_review import AccountReview
from servery.control.credits import Credits
from servery.control.month_turn import MonthTurn
from servery.control.open_account import create_key
from servery.control.reminders import Reminders
from servery.control.spend_limit import SpendLimit
from servery.core.clock import ManualClock, utc_date
from servery.core.role import Role
from servery.core.suspend_state import SuspendState
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.tenancy.api_keys import CreatedKey
from servery.tenancy.users import Users

DAY_S = 86_400


class Told:
    """An account with a prepaid purse, and what its outbox holds."""

    def __init__(
        self, database: Database, clock: ManualClock, spending: Spending, review: AccountReview, key: CreatedKey
    ) -> None:
        self.database, self.clock, self.review, self.key = database, clock, review, key
        self.credits = Credits(database, clock, spending=spending, review=review)
        self.limit = SpendLimit(database, clock, review)
        self._seen: set[str] = set()

    async def news(self) -> list[str]:
        """The types of events since the last time, by the alphabet, but for the creation of keys."""
        rows = self.database.reader.execute("SELECT id, payload FROM outbox").fetchall()
        fresh = [msgspec.json.decode(payload)["type"] for event_id, payload in rows if event_id not in self._seen]
        self._seen = {event_id for event_id, _ in rows}
        return sorted(kind for kind in fresh if kind != "api_key.created")


@pytest.fixture
async def told(database: Database, clock: ManualClock, spending: Spending, review: AccountReview) -> Told:
    key = await create_key(database, clock, "acme", open_if_new=True)
    return Told(database, clock, spending, review, key)


async def test_a_prepaid_account_is_told_of_its_end_and_its_return(told: Told) -> None:
    """Low at a fifth, used up, suspended; resumed when credit is added. Each once, however often it is looked at."""
    await told.limit.set_prepaid("acme", prepaid=True)
    assert await told.news() == ["account.suspended"]
    await told.credits.grant("acme", 10 * CHARGE_NANODOLLARS)
    assert await told.news() == ["account.resumed"]
    await post_requests(told.database, told.clock, told.key, count=8)
    for _ in range(3):
        await told.review.run("acme")
    assert await told.news() == ["budget.threshold_reached", "credit.low"]
    await post_requests(told.database, told.clock, told.key, count=10)
    await told.review.run("acme")
    assert await told.news() == ["account.suspended", "credit.depleted"]
    await told.credits.grant("acme", 10 * CHARGE_NANODOLLARS)
    await told.review.run("acme")
    assert await told.news() == ["account.resumed"]


async def test_an_account_is_told_at_amounts_of_its_own(told: Told) -> None:
    """Each of them once a month."""
    await told.limit.tell_at("acme", (CHARGE_NANODOLLARS, 3 * CHARGE_NANODOLLARS))
    await post_requests(told.database, told.clock, told.key, count=2)
    await told.review.run("acme")
    assert await told.news() == ["budget.threshold_reached"]
    await post_requests(told.database, told.clock, told.key, count=3)
    for _ in range(2):
        await told.review.run("acme")
    assert await told.news() == ["budget.threshold_reached"]
    told.clock.advance(40 * DAY_S)
    await told.review.run("acme")
    assert await told.news() == []


async def test_the_operators_doing_is_told(told: Told) -> None:
    """Suspension with its reason, resumption, and spend tiers."""
    for state in (SuspendState.FAILED_PAYMENTS, SuspendState.UNSUSPENDED):
        await told.database.write(lambda connection, state=state: told.review.suspend_within(connection, "acme", state))
    assert await told.news() == ["account.resumed", "account.suspended"]
    await told.limit.pin_tier("acme", 3)
    await told.limit.pin_tier("acme", 3)
    assert await told.news() == ["spend_tier.changed"]


async def test_keys_that_will_expire_are_told_of(told: Told) -> None:
    """A week before; not those that were made for a day, and each once."""
    day_ns = DAY_S * 10**9
    now_ns = told.clock.wall_ns()
    for days in (1, 6, 30):
        await create_key(
            told.database, told.clock, "acme", open_if_new=False, expires_ns=now_ns + days * day_ns + day_ns // 2
        )
    catalog = default_catalog(today=utc_date(now_ns))
    reminders = Reminders(told.database, told.clock, catalog)
    await reminders.remind()
    assert await told.news() == []
    told.clock.advance(DAY_S + 1)
    await reminders.remind()
    await reminders.remind()
    assert await told.news() == ["api_key.expiring", "api_key.expiring"]
    told.clock.advance(24 * DAY_S)
    await reminders.remind()
    assert await told.news() == ["api_key.expiring"]


async def test_mail_goes_to_the_accounts_address(told: Told) -> None:
    """Where it has one."""
    await Accounts(told.database, told.clock).update("acme", email="a@example.org")
    await told.limit.pin_tier("acme", 2)
    rows = told.database.reader.execute("SELECT email FROM deliveries").fetchall()
    assert [tuple(row) for row in rows] == [("a@example.org",)]


async def test_mail_goes_to_admins_too(told: Told) -> None:
    """To people alone, while they are admins; each address once, however it is written."""
    users = Users(told.database, told.clock)
    await Accounts(told.database, told.clock).update("acme", email="a@example.org")
    for user, role, email in (
        ("ann", Role.ADMIN, "ann@example.org"),
        ("again", Role.ADMIN, "A@example.org"),
        ("none", Role.ADMIN, ""),
        ("user", Role.USER, "user@example.org"),
        ("gone", Role.ADMIN, "gone@example.org"),
    ):
        await users.create("acme", user, role=role, email=email)
    await users.create("acme", "ci", role=Role.ADMIN, email="ci@acme.sa.example.org", service_account=True)
    await users.delete("acme", "gone")
    await told.limit.pin_tier("acme", 2)
    rows = told.database.reader.execute("SELECT email FROM deliveries").fetchall()
    assert sorted(row[0].lower() for row in rows) == ["a@example.org", "ann@example.org"]


async def test_the_turn_of_the_month_is_told_without_a_request(told: Told, spending: Spending) -> None:
    """An account that had spent what it may works again when the month turns, and is told so, once: by whichever
    process notices it first, or by one that was started later."""
    turns = [MonthTurn(told.database, told.clock, told.review) for _ in range(3)]
    await told.limit.pin_tier("acme", 1)
    charge = Charged("spent", "acme", 51 * 10**9, told.clock.wall_ns())
    await told.database.write(lambda connection: spending.charged_within(connection, [charge]))
    await told.review.run("acme")
    assert await told.news() == ["account.suspended", "budget.threshold_reached"]
    await turns[0].look()
    await turns[1].look()
    assert await told.news() == []
    told.clock.advance(40 * DAY_S)
    await turns[1].look()
    assert await told.news() == ["account.resumed"]
    for turn in turns:
        await turn.look()
    assert await told.news() == []
