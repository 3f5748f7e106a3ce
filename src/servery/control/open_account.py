"""Opening an account: in tenancy and in the books, in one transaction."""

import secrets

from servery.billing.ledger_names import receivable_account
from servery.core.caller import FIRST_USER
from servery.core.clock import Clock
from servery.core.errors import AlreadyExists
from servery.ledger.ledger import Ledger
from servery.notifications.event import EventKind
from servery.notifications.outbox import Outbox
from servery.store.connection import Connection
from servery.store.database import Database, Operation
from servery.tenancy.accounts import Account, Accounts
from servery.tenancy.api_keys import ApiKeys, CreatedKey, RandomBytes
from servery.tenancy.notice_addresses import NoticeAddresses


async def open_account(
    database: Database, clock: Clock, account_id: str, *, display_name: str = "", email: str = ""
) -> Account:
    """A new account, and its place in the books with a balance of zero.

    Raises InvalidRequest when ``account_id`` cannot be an id, AlreadyExists when it is taken.
    """
    return await database.change(_opening(database, clock, account_id, display_name, email))


async def create_key(
    database: Database,
    clock: Clock,
    account: str,
    *,
    open_if_new: bool,
    user: str = FIRST_USER,
    display_name: str = "",
    expires_ns: int | None = None,
    admin: bool = False,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> CreatedKey:
    """A new key for ``account``, which is opened in the same transaction when it is new and ``open_if_new``.

    Raises NotFound when it is new otherwise or has no such ``user``, InvalidRequest when it cannot be an id or
    ``expires_ns`` is not in the future.
    """
    accounts = Accounts(database, clock)
    creating = ApiKeys(database, clock, random_bytes).creating(
        account, user=user, display_name=display_name, expires_ns=expires_ns, admin=admin
    )
    outbox, addresses = Outbox(clock), NoticeAddresses()

    def told(connection: Connection) -> CreatedKey:
        created = creating(connection)
        key = created.api_key
        outbox.add(
            connection,
            account,
            EventKind.KEY_CREATED,
            f"The API key {key.key_id} was made for user {key.user} of account {account}.",
            {"keyId": key.key_id, "user": key.user, "displayName": key.display_name},
            emails=addresses.within(connection, account),
        )
        return created

    if not open_if_new:
        return await database.change(told)
    opening = _opening(database, clock, account, "", "")

    def operation(connection: Connection) -> CreatedKey:
        if accounts.find(connection, account) is None:
            opening(connection)
        return told(connection)

    try:
        return await database.change(operation)
    except AlreadyExists:  # opened by another gateway in the same moment
        return await database.change(told)


def _opening(database: Database, clock: Clock, account_id: str, display_name: str, email: str) -> Operation[Account]:
    opening = Accounts(database, clock).opening(account_id, display_name, email)
    ledger = Ledger(database, clock)

    def operation(connection: Connection) -> Account:
        account = opening(connection)
        ledger.open_within(connection, receivable_account(account.id))
        return account

    return operation
