"""Accounts: the tenants, named ``accounts/<id>`` in resource names."""

from enum import StrEnum

import msgspec

from servery.core.clock import Clock
from servery.core.errors import AlreadyExists, InvalidRequest, NotFound
from servery.core.ids import checked_resource_id
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.database import Database, Operation
from servery.store.sql import load_queries


class AccountState(StrEnum):
    """Whether an account's keys are honoured."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Account(msgspec.Struct, frozen=True):
    """A tenant. ``spend_tier`` is 1 to 4."""

    id: str
    display_name: str
    spend_tier: int
    state: AccountState
    created_ns: int


class Accounts:
    """The accounts in the database. They are opened and suspended, never deleted: the books quote them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.tenancy", "accounts.sql")
        self._insert = queries["insert_account"]
        self._by_id = queries["account_by_id"]
        self._all = queries["all_accounts"]
        self._set_state = queries["set_account_state"]
        self._database = database
        self._clock = clock
        self._revision = ConfigurationRevision()

    async def open(self, account_id: str, display_name: str = "") -> Account:
        """A new, active account at spend tier 1. Raises InvalidRequest when ``account_id`` cannot be an id, and
        AlreadyExists when it is taken."""
        return await self._database.write(self.opening(account_id, display_name))

    def opening(self, account_id: str, display_name: str = "") -> Operation[Account]:
        """What ``open`` does, as an operation, for those who open something else in the same transaction.

        Raises InvalidRequest at once; the operation raises AlreadyExists.
        """
        try:
            checked_resource_id(account_id)
        except ValueError as error:
            raise InvalidRequest(str(error), param="account_id") from None
        account = Account(account_id, display_name, 1, AccountState.ACTIVE, self._clock.wall_ns())

        def operation(connection: Connection) -> Account:
            if self.find(connection, account_id) is not None:
                raise AlreadyExists(f"The account {account_id!r} already exists.", param="account_id")
            connection.execute(self._insert, msgspec.structs.asdict(account))
            self._revision.bump(connection)
            return account

        return operation

    async def set_state(self, account_id: str, state: AccountState) -> Account:
        """Suspend an account or let it work again; returns it as it is now. Raises NotFound."""

        def operation(connection: Connection) -> Account:
            account = self._required(connection, account_id)
            connection.execute(self._set_state, {"id": account_id, "state": state})
            self._revision.bump(connection)
            return msgspec.structs.replace(account, state=state)

        return await self._database.write(operation)

    def get(self, account_id: str) -> Account:
        """Raises NotFound."""
        return self._required(self._database.reader, account_id)

    def list(self) -> list[Account]:
        """All accounts, by id."""
        return [_account(row) for row in self._database.reader.execute(self._all).fetchall()]

    def exists(self, account_id: str) -> bool:
        return self.find(self._database.reader, account_id) is not None

    def find(self, connection: Connection, account_id: str) -> Account | None:
        """The account as ``connection`` sees it, for use inside a transaction."""
        row = connection.execute(self._by_id, {"id": account_id}).fetchone()
        return None if row is None else _account(row)

    def _required(self, connection: Connection, account_id: str) -> Account:
        account = self.find(connection, account_id)
        if account is None:
            raise NotFound(f"There is no account {account_id!r}.", param="account_id")
        return account


def _account(row: tuple[str, str, int, str, int]) -> Account:
    account_id, display_name, spend_tier, state, created_ns = row
    return Account(account_id, display_name, spend_tier, AccountState(state), created_ns)
