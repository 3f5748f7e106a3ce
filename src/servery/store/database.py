"""The database: SQLite or PostgreSQL, behind one face."""

import asyncio
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from servery.core.errors import Overloaded
from servery.store.backend import Backend
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.group_commit import GroupCommit
from servery.store.limits import StoreLimits
from servery.store.sqlite_backend import SqliteBackend
from servery.store.writer_thread import GroupOperation

T = TypeVar("T")
Item = TypeVar("Item")
Result = TypeVar("Result")

Operation = Callable[[Connection], T]
"""Reads and writes through the connection, inside a transaction that others share. It may be run a second time (after
a rollback), so it has no other effects; it neither begins nor ends a transaction."""


class Company:
    """What comes along with a change, and whether it has."""

    __slots__ = ("has_come_along", "operation")

    def __init__(self, operation: Operation[object]) -> None:
        self.operation = operation
        self.has_come_along = False


class Database:
    """Durable state. Reads are synchronous and short; writes are queued to one writer and committed in groups.

    A write that has returned is on the disk and seen by every later read. Operations that one task awaits in turn run
    in that order; between tasks, and between different group operations of one commit, there is no order. A caller
    that is cancelled while it waits does not undo its operation.

    One Database belongs to one event loop (from the first write on); other processes open the same database with a
    Database of their own. It is an asynchronous context manager that closes itself.
    """

    def __init__(
        self, backend: Backend, limits: StoreLimits, *, on_lost_write: Callable[[Exception], None] | None = None
    ) -> None:
        """Takes over ``backend``. ``Database.open`` is how to get there."""
        self._backend = backend
        self.is_in_place = True
        """Whether what was opened is still what is found there, as of the last ``look``."""
        self._company: ContextVar[Company | None] = ContextVar("company")
        self._commits = GroupCommit(backend.writer, limits, on_lost_write=on_lost_write or _tell_the_loop)

    @classmethod
    def open(
        cls,
        place: Path | str,
        *,
        limits: StoreLimits | None = None,
        on_lost_write: Callable[[Exception], None] | None = None,
    ) -> Self:
        """Open the database at ``place``, a file for SQLite or a ``postgresql://`` URL. It is made and migrated as
        needed: the file with mode 0600 in a directory with 0700, or a schema in the database that the URL names.

        ``on_lost_write`` is called, on the event loop, with the error of an operation that nobody waited for;
        by default such errors go to the event loop's exception handler, which logs them.

        Raises PreconditionFailed when a newer version of the software wrote the database, or it is too old to be used;
        Overloaded when PostgreSQL cannot be reached.
        """
        limits = limits or StoreLimits()
        return cls(_backend(place, limits), limits, on_lost_write=on_lost_write)

    @property
    def reader(self) -> Connection:
        """For the short reads of a start, and of tests. Fetch all rows at once: an open cursor holds back the
        write-ahead log. It refuses to write. On PostgreSQL it blocks its thread for a round trip: code that runs on a
        serving event loop uses ``look_up``."""
        return self._backend.reader

    @property
    def queued_writes(self) -> int:
        """How many operations wait for the writer now."""
        return self._commits.queued

    @property
    def is_stalled(self) -> bool:
        """Whether the database has not carried out a commit for longer than it ever should. What would need one had
        better not begin."""
        return self._commits.is_stalled

    @property
    def is_failing(self) -> bool:
        """Whether the last commit failed, whatever it was to write."""
        return self._commits.is_failing

    def look(self) -> None:
        """Find out whether ``is_in_place``. A commit finds out by itself, and fails."""
        self.is_in_place = self._backend.is_in_place

    async def prove_writable(self) -> None:
        """Write something that changes nothing. Raises as ``write`` does."""
        await self.write(ConfigurationRevision().write_again)

    def check_not_stalled(self) -> None:
        """For what had better not begin. Raises Overloaded when ``is_stalled``."""
        if self.is_stalled:
            raise Overloaded("The database does not answer, please try again.", retry_after_s=1.0)

    async def look_up(self, operation: Operation[T]) -> T:
        """Run a short read. On SQLite it takes microseconds and does not yield; on PostgreSQL it runs in another
        thread, with a time limit. Fetch all rows within ``operation``, which must not write.

        Raises Overloaded when PostgreSQL does not answer."""
        return await self._backend.look_up(operation)

    async def write(self, operation: Operation[T]) -> T:
        """Run ``operation`` in the next group and return its result once that group is durable.

        What the operation raises is raised here, and undone without harm to others of the group. Raises
        InternalError when the group as a whole could not be committed, and Overloaded while closing or when the
        database has not answered for ``commit_timeout_s``; such a write is not made later, unless it was already on
        its way. Waits while the queue is full.
        """
        return await self._commits.write(_run_operations, operation)

    async def change(self, operation: Operation[T]) -> T:
        """As ``write``, for what somebody asked for: within ``accompanied``, the companion comes along."""
        company = self._company.get(None)
        if company is None or company.has_come_along:
            return await self.write(operation)

        def both(connection: Connection) -> T:
            result = operation(connection)
            company.operation(connection)
            return result

        result = await self.write(both)
        company.has_come_along = True
        return result

    @contextmanager
    def accompanied(self, operation: Operation[object]) -> Iterator[Company]:
        """Within the block, the first ``change`` of this task that is carried out carries ``operation`` out too, in the
        same transaction: both are made, or neither."""
        company = Company(operation)
        token = self._company.set(company)
        try:
            yield company
        finally:
            self._company.reset(token)

    def write_soon(self, operation: Operation[object]) -> None:
        """Queue ``operation`` and return; a failure goes to ``on_lost_write``. ``close`` waits for it.

        Raises Overloaded when the queue is full twice over, and while closing.
        """
        self._commits.write_soon(_run_operations, operation)

    async def write_grouped(self, operation: GroupOperation[Item, Result], item: Item) -> Result:
        """As ``write``, for operations that handle many items at once: all items queued for the same ``operation``
        (by equality) in one group are handed to it together, in the order in which they were queued."""
        return await self._commits.write(operation, item)

    def write_grouped_soon(
        self,
        operation: GroupOperation[Item, Result],
        item: Item,
        *,
        on_written: Callable[[], None] | None = None,
        on_lost: Callable[[Exception], bool] | None = None,
    ) -> None:
        """As ``write_soon``, for group operations. ``on_written`` is called on the event loop once it is durable;
        ``on_lost`` where it failed, and an error that it says to have taken care of goes no further."""
        self._commits.write_soon(operation, item, on_written=on_written, on_lost=on_lost)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """A connection of its own that sees one unchanging state, for long reads. Blocks the thread it is used on."""
        return self._backend.snapshot()

    async def read(self, operation: Operation[T]) -> T:
        """Run a long read in another thread, over a snapshot."""
        return await asyncio.to_thread(self._read_snapshot, operation)

    def _read_snapshot(self, operation: Operation[T]) -> T:
        with self.snapshot() as connection:
            return operation(connection)

    async def wait_configuration_changed(self, *, timeout_s: float) -> None:
        """Returns when another process may have changed accounts, keys or prices. PostgreSQL tells of it at once; in
        case it was missed, and on SQLite always, after ``timeout_s``."""
        await self._backend.wait_configuration_changed(timeout_s=timeout_s)

    async def close(self) -> None:
        """Write all that is queued, then let go of the database."""
        await self._commits.close()
        self._backend.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _run_operations(connection: Connection, operations: Sequence[Operation[T]]) -> list[T]:
    """Any operation is the item of this group operation."""
    return [operation(connection) for operation in operations]


def _tell_the_loop(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "a write that nobody waited for failed", "exception": error}
    )


def _backend(place: Path | str, limits: StoreLimits) -> Backend:
    if isinstance(place, Path):
        return SqliteBackend(place, limits)
    # By name, for it brings its driver: 80 ms and some memory that a platform on SQLite need not spend.
    postgresql = importlib.import_module("servery.store.postgresql.backend")
    backend: Backend = postgresql.PostgresqlBackend(place, limits)
    return backend
