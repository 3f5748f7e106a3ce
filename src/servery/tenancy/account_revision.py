"""Which accounts have changed: what a running platform re-reads, whoever made the change."""

from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.sql import load_queries


class AccountRevision:
    """Each change to an account, its users, keys or money moves the configuration revision, and the account keeps the
    number. Changes that run at once take turns at the counter, so none is overlooked."""

    def __init__(self) -> None:
        queries = load_queries("servery.tenancy", "accounts.sql")
        self._touch = queries["touch_account"]
        self._since = queries["accounts_since"]
        self._revision = ConfigurationRevision()

    def hold(self, connection: Connection) -> None:
        """Inside the transaction, before what is to be changed is read."""
        self._revision.hold(connection)

    def touch(self, connection: Connection, account: str) -> None:
        """Inside the transaction that makes the change."""
        self._revision.bump(connection)
        connection.execute(self._touch, {"id": account})

    def changes(self, connection: Connection, *, since: int) -> tuple[int, list[str]]:
        """The revision now, and the ids of the accounts that changed after ``since``."""
        current = self._revision.current(connection)
        if current == since:
            return current, []
        return current, [account for (account,) in connection.execute(self._since, {"revision": since}).fetchall()]
