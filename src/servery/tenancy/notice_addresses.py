"""Where the e-mail goes by which an account is told what concerns it."""

from servery.store.connection import Connection
from servery.store.sql import load_queries


class NoticeAddresses:
    """The account's own address, and those of the people who are its admins."""

    def __init__(self) -> None:
        self._addresses = load_queries("servery.tenancy", "users.sql")["notice_addresses"]

    def within(self, connection: Connection, account: str) -> list[str]:
        """Each once, by the alphabet, however its letters are written; none where nobody has given any."""
        rows = connection.execute(self._addresses, {"account": account}).fetchall()
        return [*{address.lower(): address for (address,) in rows}.values()]
