"""A counter that moves with every change to accounts and keys, so that a running platform notices what another
process (a command, another gateway) has changed."""

from servery.store.connection import Connection
from servery.store.sql import load_queries


class ConfigurationRevision:
    """Reads and moves the counter. Whoever changes accounts or keys bumps it in the same transaction."""

    def __init__(self) -> None:
        queries = load_queries("servery.store", "store.sql")
        self._read = queries["configuration_revision"]
        self._bump = queries["bump_configuration_revision"]
        self._hold = queries["hold_configuration"]
        self._write_again = queries["write_configuration_again"]

    def current(self, connection: Connection) -> int:
        """A few microseconds: one row of a table that has one row."""
        (revision,) = connection.execute(self._read).fetchone()
        assert isinstance(revision, int)
        return revision

    def hold(self, connection: Connection) -> None:
        """Before something is read that is to be changed by what it is: until the transaction ends, nobody else who
        does so comes in between, at any gateway."""
        connection.execute(self._hold)

    def write_again(self, connection: Connection) -> None:
        """Write what is there, and change nothing: where that fails, nothing can be written."""
        connection.execute(self._write_again)

    def bump(self, connection: Connection) -> None:
        """Inside the transaction that makes the change."""
        connection.execute(self._bump)
