"""Accounts: the tenants, named ``accounts/<id>`` in resource names."""

from collections.abc import Callable, Sequence

import msgspec

from servery.core.clock import Clock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound
from servery.core.resource_name import checked_resource_id
from servery.core.suspend_state import SuspendState
from servery.store.connection import Connection
from servery.store.database import Database, Operation
from servery.store.place_in_list import Name
from servery.store.sql import load_queries
from servery.tenancy.account_revision import AccountRevision
from servery.tenancy.users import Users


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant. ``spend_tier`` is 1 to 4; pinned, it does not change by itself. ``suspend_state`` is what the operator
    has set. A ``prepaid`` account may spend its credits alone; ``funded`` is false when it has none.
    ``spend_limit_dollars`` is what the account allows itself in a month, None for what its tier allows;
    ``spend_thresholds`` are the nano-dollars of a month's spending at which it wants to be told."""

    id: str
    display_name: str = ""
    email: str = ""
    spend_tier: int = 1
    tier_pinned: bool = False
    suspend_state: SuspendState = SuspendState.UNSUSPENDED
    prepaid: bool = False
    funded: bool = True
    spend_limit_dollars: int | None = None
    spend_limit_set_ns: int = 0
    spend_thresholds: tuple[int, ...] = ()
    created_ns: int


AccountChange = Callable[[Account], Account]
"""Makes of an account what it is to be."""


class Accounts:
    """The accounts in the database. They are opened and suspended, never deleted: the books quote them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.tenancy", "accounts.sql")
        self._insert = queries["insert_account"]
        self._by_id = queries["account_by_id"]
        self._all = queries["all_accounts"]
        self._page = queries["page_of_accounts"]
        self._count = queries["count_accounts"]
        self._update = queries["update_account"]
        self._database = database
        self._clock = clock
        self._users = Users(database, clock)
        self._revision = AccountRevision()

    async def open(self, account_id: str, display_name: str = "") -> Account:
        """A new, active account at spend tier 1. Raises InvalidRequest when ``account_id`` cannot be an id, and
        AlreadyExists when it is taken."""
        return await self._database.change(self.opening(account_id, display_name))

    def opening(self, account_id: str, display_name: str = "", email: str = "") -> Operation[Account]:
        """What ``open`` does, as an operation, for those who open something else in the same transaction: the account
        and its first user.

        Raises InvalidRequest at once; the operation raises AlreadyExists.
        """
        try:
            checked_resource_id(account_id)
        except ValueError as error:
            raise InvalidRequest(str(error), param="account_id") from None
        account = Account(id=account_id, display_name=display_name, email=email, created_ns=self._clock.wall_ns())

        def operation(connection: Connection) -> Account:
            inserted = connection.execute(
                self._insert,
                {
                    "id": account.id,
                    "display_name": account.display_name,
                    "email": account.email,
                    "spend_tier": account.spend_tier,
                    "created_ns": account.created_ns,
                },
            )
            if inserted.rowcount == 0:
                raise AlreadyExists(f"The account {account_id!r} already exists.", param="account_id")
            self._users.add_first(connection, account_id, email=email)
            self._revision.touch(connection, account_id)
            return account

        return operation

    async def update(self, account_id: str, *, display_name: str | None = None, email: str | None = None) -> Account:
        """Change what is not None. Raises NotFound."""

        def changed(account: Account) -> Account:
            return msgspec.structs.replace(
                account,
                display_name=account.display_name if display_name is None else display_name,
                email=account.email if email is None else email,
            )

        return await self._database.change(lambda connection: self.change(connection, account_id, changed))

    async def suspend(self, account_id: str, reason: SuspendState) -> Account:
        """Refuse the account's inference until it is resumed; returns it as it is now. Raises NotFound."""
        return await self._database.change(
            lambda connection: self.change(
                connection, account_id, lambda account: msgspec.structs.replace(account, suspend_state=reason)
            )
        )

    async def resume(self, account_id: str) -> Account:
        """Undo what ``suspend`` did. Raises NotFound."""
        return await self.suspend(account_id, SuspendState.UNSUSPENDED)

    def change(self, connection: Connection, account_id: str, change: AccountChange) -> Account:
        """Within a transaction: put what ``change`` makes of the account in its place; a platform that runs notices.
        Raises NotFound."""
        self._revision.hold(connection)
        before = self.required(connection, account_id)
        after = change(before)
        if after == before:
            return before
        facts = msgspec.structs.asdict(after)
        del facts["created_ns"]
        thresholds = msgspec.json.encode(after.spend_thresholds).decode()
        connection.execute(self._update, {**facts, "spend_thresholds": thresholds})
        self._revision.touch(connection, account_id)
        return after

    async def get(self, account_id: str) -> Account:
        """Raises NotFound."""
        return await self._database.look_up(lambda connection: self.required(connection, account_id))

    async def list(self) -> list[Account]:
        """All accounts, by id."""
        rows = await self._database.look_up(lambda connection: connection.execute(self._all).fetchall())
        return [_account(row) for row in rows]

    async def page(self, after: Name, most: int) -> Sequence[Account]:
        """So many accounts that follow a place, by id."""
        chosen = {"after": after[0], "most": most}
        rows = await self._database.look_up(lambda connection: connection.execute(self._page, chosen).fetchall())
        return [_account(row) for row in rows]

    async def count(self) -> int:
        """How many there are."""
        row = await self._database.look_up(lambda connection: connection.execute(self._count).fetchone())
        return int(row[0])

    async def exists(self, account_id: str) -> bool:
        return await self._database.look_up(lambda connection: self.find(connection, account_id)) is not None

    def find(self, connection: Connection, account_id: str) -> Account | None:
        """The account as ``connection`` sees it, for use inside a transaction."""
        row = connection.execute(self._by_id, {"id": account_id}).fetchone()
        return None if row is None else _account(row)

    def required(self, connection: Connection, account_id: str) -> Account:
        """As ``find``. Raises NotFound."""
        account = self.find(connection, account_id)
        if account is None:
            raise NotFound(f"There is no account {account_id!r}.", param="account_id")
        return account


def _account(row: tuple[str, str, str, int, int, str, int, int, int | None, int, str, int]) -> Account:
    account_id, display_name, email, tier, pinned, state, prepaid, funded, limit, limit_set_ns, thresholds, opened = row
    return Account(
        id=account_id,
        display_name=display_name,
        email=email,
        spend_tier=tier,
        tier_pinned=bool(pinned),
        suspend_state=SuspendState(state),
        prepaid=bool(prepaid),
        funded=bool(funded),
        spend_limit_dollars=limit,
        spend_limit_set_ns=limit_set_ns,
        spend_thresholds=tuple(msgspec.json.decode(thresholds, type=list[int])),
        created_ns=opened,
    )
