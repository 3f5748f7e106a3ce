"""A transaction and its parts, whichever database carries it."""

from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol, Self

from servery.store.connection import Connection


class TransactionFailed(Exception):
    """A transaction could not be made durable, and none of it was: a full disk, a lock that others hold, a database
    that is away. The cause is the driver's error."""


class OpenTransaction(Connection, Protocol):
    """The connection, while a transaction is open on it."""

    @property
    def in_transaction(self) -> bool:
        """False once the database has given the whole transaction up."""
        ...


class Writer(Protocol):
    """The writing side of a database. Belongs to one thread."""

    def transact(self, body: Callable[[OpenTransaction], None], *, in_parts: bool = False) -> Exception | None:
        """Run ``body`` in a transaction and make it durable. What ``body`` raises undoes it, and is returned.
        ``in_parts``: it has savepoints, and what a statement raises must be raised by that statement.

        ``body`` may be run again, after all that it wrote has been undone. Raises TransactionFailed.
        """
        ...

    def give_up(self) -> None:
        """Called by another thread when the platform is being closed: wait no longer for a database that is away."""
        ...

    def close(self) -> None: ...


class Attempt:
    """Keeps in ``error`` what its block raises, for somebody else to hear."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


class Savepoint:
    """A part of a transaction that fails alone: what its block raises is undone and kept in ``error``.

    Errors that made the database undo the whole transaction (a full disk, a lost connection) are not held back: they
    concern all that share it.
    """

    def __init__(self, connection: OpenTransaction) -> None:
        self._connection = connection
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self._connection.execute("SAVEPOINT part")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[True] | None:
        if not self._connection.in_transaction:
            raise TransactionFailed("the whole transaction was rolled back") from error
        if error is None:
            self._connection.execute("RELEASE SAVEPOINT part")
            return None
        if not isinstance(error, Exception):
            return None
        self._connection.execute("ROLLBACK TO SAVEPOINT part")
        self._connection.execute("RELEASE SAVEPOINT part")
        self.error = error
        return True
