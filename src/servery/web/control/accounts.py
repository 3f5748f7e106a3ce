"""``/v1/accounts``: the tenants."""

import msgspec
from starlette.requests import Request

from servery.control.open_account import open_account
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.store.database import Database
from servery.tenancy.accounts import Account, Accounts, AccountState
from servery.web.control.access import account_of, require_admin
from servery.web.control.body import body_of
from servery.web.control.page import page_of


class AccountFields(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What the opener of an account may say of it."""

    display_name: str = ""


class NewAccount(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/accounts``."""

    account_id: str
    account: AccountFields = msgspec.field(default_factory=AccountFields)


class AccountResource(msgspec.Struct, rename="camel"):
    """An account as it is shown."""

    name: str
    display_name: str
    create_time: str
    state: str = "READY"
    suspend_state: str = "UNSUSPENDED"


class AccountList(msgspec.Struct, rename="camel"):
    accounts: list[AccountResource]
    next_page_token: str
    total_size: int


class AccountEndpoints:
    """Handlers for accounts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._accounts = Accounts(database, clock)

    async def list_all(self, request: Request, caller: Caller) -> AccountList:
        """A key that may operate the platform sees all accounts, any other key its own."""
        seen = self._accounts.list() if caller.admin else [self._accounts.get(caller.account)]
        accounts, token = page_of(request, seen)
        return AccountList([_shown(account) for account in accounts], token, len(seen))

    async def get(self, request: Request, caller: Caller) -> AccountResource:
        return _shown(self._accounts.get(account_of(request, caller)))

    async def create(self, request: Request, caller: Caller) -> AccountResource:
        require_admin(caller)
        wanted = await body_of(request, NewAccount)
        opened = await open_account(
            self._database, self._clock, wanted.account_id, display_name=wanted.account.display_name
        )
        return _shown(opened)


def _shown(account: Account) -> AccountResource:
    suspended = account.state is AccountState.SUSPENDED
    return AccountResource(
        name=f"accounts/{account.id}",
        display_name=account.display_name,
        create_time=rfc3339(account.created_ns),
        suspend_state="MONTHLY_SPEND_LIMIT_EXCEEDED" if suspended else "UNSUSPENDED",
    )
