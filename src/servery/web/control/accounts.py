"""``/v1/accounts``: the tenants."""

from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from servery.billing.standing import Standing
from servery.control.account_review import AccountReview
from servery.control.account_watch import AccountWatch
from servery.control.open_account import open_account
from servery.control.spend_limit import SpendLimit
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.core.errors import InvalidRequest
from servery.core.suspend_state import SuspendState
from servery.store.database import Database
from servery.store.place_in_list import BEFORE_ALL_NAMES
from servery.tenancy.accounts import Account, Accounts
from servery.web.control.access import account_of
from servery.web.control.amount import Amount
from servery.web.control.body import body_of
from servery.web.control.listing import Listing
from servery.web.control.money import Money, money
from servery.web.control.paged_list import PagedList

THRESHOLDS_MAX: Final = 20


class AccountFields(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What the opener of an account may say of it."""

    display_name: str = ""
    email: str = ""


class NewAccount(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/accounts``."""

    account_id: str
    account: AccountFields = msgspec.field(default_factory=AccountFields)


class Suspension(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/accounts/{account}:suspend``."""

    reason: SuspendState = SuspendState.BLOCKED_BY_ABUSE_RULE


class TierPin(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/accounts/{account}:pinSpendTier``; null lets the tier rise by itself again."""

    spend_tier: int | None


class Prepaid(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/accounts/{account}:setPrepaid``."""

    prepaid: bool


class NotificationSettings(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Amounts of a month's spending at which the account is told; 80 % of what it may spend is always one."""

    monthly_spend_thresholds: list[Amount]

    def __post_init__(self) -> None:
        if len(self.monthly_spend_thresholds) > THRESHOLDS_MAX:
            raise ValueError(f"there are at most {THRESHOLDS_MAX} thresholds")


class AccountChanges(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``PATCH /v1/accounts/{account}``: what is absent stays."""

    display_name: str | None = None
    email: str | None = None
    notification_settings: NotificationSettings | None = None


class ShownNotificationSettings(msgspec.Struct, rename="camel"):
    monthly_spend_thresholds: list[Money]


class AccountResource(msgspec.Struct, rename="camel"):
    """An account as it is shown."""

    name: str
    display_name: str
    email: str
    create_time: str
    suspend_state: SuspendState
    spend_tier: int
    prepaid: bool
    notification_settings: ShownNotificationSettings
    state: str = "READY"


class AccountEndpoints:
    """Handlers for accounts."""

    def __init__(
        self, database: Database, clock: Clock, *, limit: SpendLimit, review: AccountReview, watch: AccountWatch
    ) -> None:
        self._database = database
        self._clock = clock
        self._accounts = Accounts(database, clock)
        self._limit = limit
        self._review = review
        self._watch = watch

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """A key that may operate the platform sees all accounts, any other key its own."""
        listing = Listing(request, AccountResource)
        if not caller.admin:
            own = await self._shown([await self._accounts.get(caller.account)])
            return listing.response("accounts", own, lambda account: account)
        everybody = PagedList(
            page=self._accounts.page,
            count=self._accounts.count,
            place=lambda account: (account.id,),
            start=BEFORE_ALL_NAMES,
        )
        return await listing.paged_response("accounts", everybody, self._shown)

    async def _shown(self, accounts: Sequence[Account]) -> Sequence[AccountResource]:
        standings = await self._review.standings([account.id for account in accounts])
        return [_shown(account, standings[account.id]) for account in accounts]

    async def get(self, request: Request, caller: Caller) -> AccountResource:
        return await self._get(account_of(request, caller))

    async def create(self, request: Request, _caller: Caller) -> AccountResource:
        wanted = await body_of(request, NewAccount)
        opened = await open_account(
            self._database,
            self._clock,
            wanted.account_id,
            display_name=wanted.account.display_name,
            email=wanted.account.email,
        )
        return await self._get(opened.id)

    async def update(self, request: Request, caller: Caller) -> AccountResource:
        changes = await body_of(request, AccountChanges)
        account = account_of(request, caller)
        if changes.notification_settings is not None:
            amounts = [amount.nanodollars for amount in changes.notification_settings.monthly_spend_thresholds]
            await self._limit.tell_at(account, tuple(amounts))
        await self._accounts.update(account, display_name=changes.display_name, email=changes.email)
        await self._watch.changed()
        return await self._get(account)

    async def suspend(self, request: Request, caller: Caller) -> AccountResource:
        """The account's inference is refused from the next request on."""
        reason = (await body_of(request, Suspension)).reason
        if reason is SuspendState.UNSUSPENDED:
            raise InvalidRequest("a reason to suspend is not UNSUSPENDED; resume the account instead", param="reason")
        return await self._set_state(account_of(request, caller), reason)

    async def resume(self, request: Request, caller: Caller) -> AccountResource:
        """Undoes what the operator did; an account that has spent all it may stays suspended for that."""
        return await self._set_state(account_of(request, caller), SuspendState.UNSUSPENDED)

    async def pin_tier(self, request: Request, caller: Caller) -> AccountResource:
        account = account_of(request, caller)
        await self._limit.pin_tier(account, (await body_of(request, TierPin)).spend_tier)
        await self._watch.changed()
        return await self._get(account)

    async def set_prepaid(self, request: Request, caller: Caller) -> AccountResource:
        account = account_of(request, caller)
        await self._limit.set_prepaid(account, prepaid=(await body_of(request, Prepaid)).prepaid)
        await self._watch.changed()
        return await self._get(account)

    async def _set_state(self, account: str, state: SuspendState) -> AccountResource:
        await self._review.suspend(account, state)
        await self._watch.changed()
        return await self._get(account)

    async def _get(self, account: str) -> AccountResource:
        return _shown(await self._accounts.get(account), await self._review.standing(account))


def _shown(account: Account, standing: Standing) -> AccountResource:
    suspended = account.suspend_state is not SuspendState.UNSUSPENDED
    return AccountResource(
        name=f"accounts/{account.id}",
        display_name=account.display_name,
        email=account.email,
        create_time=rfc3339(account.created_ns),
        suspend_state=account.suspend_state if suspended else standing.suspend_state,
        spend_tier=account.spend_tier,
        prepaid=account.prepaid,
        notification_settings=ShownNotificationSettings([money(amount) for amount in account.spend_thresholds]),
    )
