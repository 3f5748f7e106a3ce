"""A watermark: how far a background projection of an append-only table has come.

The rows of such a table are numbered, but where several processes write, a number may become visible after a larger
one. ``horizon`` waits out whoever is writing, so that below it nothing more appears; a projection reads up to there,
and moves its mark in the transaction in which it writes. Of two that do so at once, one finds the mark moved.
"""

from servery.store.connection import Connection
from servery.store.sql import load_queries


class Watermark:
    """``name`` is the mark's; methods run inside the transaction of whoever calls them."""

    def __init__(self, name: str) -> None:
        queries = load_queries("servery.store", "watermark.sql")
        self._name = name
        self._read = queries["watermark"]
        self._move = queries["move_watermark"]
        self._hold = queries["hold_watermark"]

    def read(self, connection: Connection) -> int:
        """The number of the last row that has been taken in; 0 before the first."""
        (sequence,) = connection.execute(self._read, {"name": self._name}).fetchone()
        return int(sequence)

    def hold(self, connection: Connection) -> int:
        """As ``read``; until the transaction ends, nobody else moves the mark."""
        connection.execute(self._hold, {"name": self._name})
        return self.read(connection)

    def move(self, connection: Connection, *, after: int, to: int) -> bool:
        """Move from ``after`` on to ``to``; False when the mark no longer stands at ``after``."""
        values = {"name": self._name, "after": after, "sequence": to}
        return connection.execute(self._move, values).rowcount == 1
