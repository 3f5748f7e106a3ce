"""What repositories know of a connection: enough to run SQL, and nothing of the database behind it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Parameters = Sequence[Any] | Mapping[str, Any]
"""The values of ``:name`` parameters by name, or of ``?`` in order: None, bool, int, str, bytes."""


class Cursor(Protocol):
    """The outcome of a statement. Rows are tuples; integers come as int, also sums; a flag as int or bool."""

    @property
    def rowcount(self) -> int:
        """How many rows an INSERT, UPDATE or DELETE has touched."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs statements inside the transaction of whoever handed it out. ``sqlite3.Connection`` is one.

    ``sql`` is a ``Query`` (``store/sql.py``), or plain text in SQLite's dialect that both databases understand.
    """

    def execute(self, sql: str, parameters: Parameters = ..., /) -> Cursor: ...

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Cursor:
        """The statement once for each element; on PostgreSQL in one round trip."""
        ...
