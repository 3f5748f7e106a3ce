"""``/v1/accounts``: the tenants."""

import msgspec
from starlette.requests import Request

from servery.control.open_account import open_account
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.core.errors import InvalidRequest
from servery.core.suspend_state import SuspendState
from servery.store.database import Database
from servery.tenancy.accounts import Account, Accounts
from servery.tenancy.key_ring import KeyRing
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.page import page_of


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


class AccountResource(msgspec.Struct, rename="camel"):
    """An account as it is shown."""

    name: str
    display_name: str
    email: str
    create_time: str
    suspend_state: SuspendState
    state: str = "READY"


class AccountList(msgspec.Struct, rename="camel"):
    accounts: list[AccountResource]
    next_page_token: str
    total_size: int


class AccountEndpoints:
    """Handlers for accounts."""

    def __init__(self, database: Database, clock: Clock, key_ring: KeyRing) -> None:
        self._database = database
        self._clock = clock
        self._accounts = Accounts(database, clock)
        self._key_ring = key_ring

    async def list_all(self, request: Request, caller: Caller) -> AccountList:
        """A key that may operate the platform sees all accounts, any other key its own."""
        seen = await self._accounts.list() if caller.admin else [await self._accounts.get(caller.account)]
        accounts, token = page_of(request, seen)
        return AccountList([_shown(account) for account in accounts], token, len(seen))

    async def get(self, request: Request, caller: Caller) -> AccountResource:
        return _shown(await self._accounts.get(account_of(request, caller)))

    async def create(self, request: Request, _caller: Caller) -> AccountResource:
        wanted = await body_of(request, NewAccount)
        opened = await open_account(
            self._database,
            self._clock,
            wanted.account_id,
            display_name=wanted.account.display_name,
            email=wanted.account.email,
        )
        return _shown(opened)

    async def suspend(self, request: Request, caller: Caller) -> AccountResource:
        """The account's inference is refused from the next request on."""
        reason = (await body_of(request, Suspension)).reason
        if reason is SuspendState.UNSUSPENDED:
            raise InvalidRequest("a reason to suspend is not UNSUSPENDED; resume the account instead", param="reason")
        suspended = await self._accounts.suspend(account_of(request, caller), reason)
        await self._key_ring.refresh()
        return _shown(suspended)

    async def resume(self, request: Request, caller: Caller) -> AccountResource:
        resumed = await self._accounts.resume(account_of(request, caller))
        await self._key_ring.refresh()
        return _shown(resumed)


def _shown(account: Account) -> AccountResource:
    return AccountResource(
        name=f"accounts/{account.id}",
        display_name=account.display_name,
        email=account.email,
        create_time=rfc3339(account.created_ns),
        suspend_state=account.suspend_state,
    )
