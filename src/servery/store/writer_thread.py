"""The writer's thread: commits one group of operations after the other.

Operations of one kind are handed their items together. A group is first tried as it is; when anything in it raises, all
is undone and tried once more with each kind in a savepoint of its own, and where that raises, with each item in one, so
that exactly those fail that must. An operation may therefore run several times: it has no effects but through the
connection that it is given.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from servery.core.errors import InternalError
from servery.core.tell_loop import tell_loop
from servery.store.connection import Connection
from servery.store.transaction import Attempt, OpenTransaction, Savepoint, Writer

Item = TypeVar("Item")
Result = TypeVar("Result")

GroupOperation = Callable[[Connection, Sequence[Item]], Sequence[Result]]
"""Writes some items and returns one result for each, in order. All-or-nothing: raises when any of them fails."""


class Entry(Generic[Item, Result]):
    """One queued item. ``future`` is None when nobody waits; then ``on_written`` may be called instead, or ``on_lost``,
    which tells whether it has taken care of the error.

    ``withdrawn``: its caller was refused and it is not to be written, unless it has been already.
    """

    __slots__ = ("error", "future", "item", "on_lost", "on_written", "operation", "queued_s", "result", "withdrawn")

    def __init__(
        self,
        operation: GroupOperation[Item, Result],
        item: Item,
        *,
        queued_s: float,
        future: asyncio.Future[Result] | None = None,
        on_written: Callable[[], None] | None = None,
        on_lost: Callable[[Exception], bool] | None = None,
    ) -> None:
        self.operation = operation
        self.item = item
        self.future = future
        self.on_written = on_written
        self.on_lost = on_lost
        self.queued_s = queued_s
        self.withdrawn = False
        self.result: Result | None = None
        self.error: Exception | None = None


AnyEntry = Entry[Any, Any]


class WriterThread:
    """Commits groups, one after the other."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.has_failed = False
        """Whether the last group could not be committed, whatever it was."""
        self._groups: SimpleQueue[tuple[Sequence[AnyEntry], asyncio.AbstractEventLoop, Callable[[], None]] | None]
        self._groups = SimpleQueue()
        # A daemon: a process that fails before it can close the store is not kept alive by it.
        self._running = threading.Thread(target=self._run, name="servery-store-writer", daemon=True)
        self._running.start()

    def commit(
        self, group: Sequence[AnyEntry], loop: asyncio.AbstractEventLoop, on_committed: Callable[[], None]
    ) -> None:
        """Each entry of ``group`` gets its result or its error; then ``on_committed`` is called on ``loop``."""
        self._groups.put((group, loop, on_committed))

    def give_up(self) -> None:
        """Wait no longer for a database that is away."""
        self._writer.give_up()

    async def end(self) -> None:
        self._groups.put(None)
        await asyncio.to_thread(self._running.join)

    def _run(self) -> None:
        while handed := self._groups.get():
            group, loop, on_committed = handed
            self._commit(group)
            tell_loop(loop, on_committed)

    def _commit(self, group: Sequence[AnyEntry]) -> None:
        with Attempt() as attempt:
            self._transact(group)
        failure = attempt.error  # whatever it is: without this thread, all who wait would wait for ever
        self.has_failed = failure is not None
        if failure is not None:
            for entry in group:
                entry.error = InternalError("The database could not be written.")
                entry.error.__cause__ = failure.__cause__ or failure

    def _transact(self, group: Sequence[AnyEntry]) -> None:
        """Raises TransactionFailed."""
        error = self._writer.transact(lambda connection: _run_together(connection, group))
        if error is not None and len(group) == 1:
            group[0].error = error
        elif error is not None:
            error = self._writer.transact(lambda connection: _run_apart(connection, group), in_parts=True)
            for entry in group if error is not None else ():
                entry.error = error


def _by_operation(group: Iterable[AnyEntry]) -> list[list[AnyEntry]]:
    kinds: dict[GroupOperation[Any, Any], list[AnyEntry]] = {}
    for entry in group:
        if not entry.withdrawn:
            kinds.setdefault(entry.operation, []).append(entry)
    # In one order at all gateways: each kind has its own rows to lock, and none waits for another that waits for it.
    return [kinds[operation] for operation in sorted(kinds, key=_name)]


def _name(operation: GroupOperation[Any, Any]) -> str:
    """The same whether it is compiled or not: methods of compiled classes do not know their module."""
    owner = getattr(operation, "__self__", None)
    return f"{(operation if owner is None else type(owner)).__module__}.{getattr(operation, '__name__', '')}"


def _run_together(connection: OpenTransaction, group: Iterable[AnyEntry]) -> None:
    """All as if nothing could fail; raises what an operation raises."""
    for entries in _by_operation(group):
        _run_kind(connection, entries)


def _run_apart(connection: OpenTransaction, group: Iterable[AnyEntry]) -> None:
    """Each kind in a savepoint, and each item where its kind fails. Raises only TransactionFailed."""
    for entries in _by_operation(group):
        with Savepoint(connection) as savepoint:
            _run_kind(connection, entries)
        for entry in entries if savepoint.error is not None else ():
            with Savepoint(connection) as alone:
                _run_kind(connection, [entry])
            entry.error = alone.error


def _run_kind(connection: OpenTransaction, entries: Sequence[AnyEntry]) -> None:
    results = entries[0].operation(connection, [entry.item for entry in entries])
    assert len(results) == len(entries), "an operation answers each of its items"
    for entry, result in zip(entries, results, strict=True):
        entry.result = result
        entry.error = None
