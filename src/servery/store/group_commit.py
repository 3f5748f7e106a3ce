"""Group commit: many tasks' writes, one transaction, one wait for the disk.

One thread owns the writing connection. While it waits for the disk, operations queue; then it takes all of them (up
to a limit) as the next group:

    tasks      a  b  c           d  e  f  g                      each awaits its future
    writer     BEGIN a b c COMMIT BEGIN d e f g COMMIT            one durable COMMIT per group
    loop                         ^ a b c resolved at once        one call_soon_threadsafe per group

So the number of commits follows the disk's pace and the latency of a write is at most two commits, whatever the load.

Operations of one kind are handed their items together (``executemany`` then does the work of many statements), inside
a savepoint. When that raises, the savepoint is rolled back and the items are tried one by one, each in a savepoint of
its own, so that exactly those fail that must. An operation may therefore run twice: it has no effects but through the
connection that it is given.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from servery.core.errors import InternalError, Overloaded
from servery.store.connection import Connection
from servery.store.limits import StoreLimits
from servery.store.sqlite import Savepoint, abandon, begin, commit

Item = TypeVar("Item")
Result = TypeVar("Result")

GroupOperation = Callable[[Connection, Sequence[Item]], Sequence[Result]]
"""Writes some items and returns one result for each, in order. All-or-nothing: raises when any of them fails."""


class _Entry(Generic[Item, Result]):
    """One queued item. ``future`` is None when nobody waits; ``on_written`` may then be called instead."""

    __slots__ = ("error", "future", "item", "on_written", "operation", "result")

    def __init__(
        self,
        operation: GroupOperation[Item, Result],
        item: Item,
        *,
        future: asyncio.Future[Result] | None = None,
        on_written: Callable[[], None] | None = None,
    ) -> None:
        self.operation = operation
        self.item = item
        self.future = future
        self.on_written = on_written
        self.result: Result | None = None
        self.error: Exception | None = None


_AnyEntry = _Entry[Any, Any]


class GroupCommit:
    """The writer's queue and its thread. All methods are called on one event loop's thread."""

    def __init__(
        self, connection: sqlite3.Connection, limits: StoreLimits, *, on_lost_write: Callable[[Exception], None]
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._on_lost_write = on_lost_write
        self._queue: SimpleQueue[_AnyEntry | None] = SimpleQueue()  # None: nothing follows
        self._waiting_for_room: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False
        # A daemon: a process that fails before it can close the store is not kept alive by it.
        self._thread = threading.Thread(target=self._run, name="servery-store-writer", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many operations wait for the writer now."""
        return self._queue.qsize()

    async def write(self, operation: GroupOperation[Item, Result], item: Item) -> Result:
        """Queue, and return the result once it is durable. Waits for room when the queue is full."""
        while self._queue.qsize() >= self._limits.queued_writes:
            await self._room()
        loop = self._loop or self._running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._put(_Entry(operation, item, future=future))
        return await future

    def write_soon(
        self,
        operation: GroupOperation[Item, Result],
        item: Item,
        *,
        on_written: Callable[[], None] | None = None,
    ) -> None:
        """Queue and return. Raises Overloaded when even the room kept for those that cannot wait is full."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        if self._queue.qsize() >= 2 * self._limits.queued_writes:
            raise Overloaded("The database cannot keep up with what is to be written.")
        self._put(_Entry(operation, item, on_written=on_written))

    async def close(self) -> None:
        """Write what is queued, then end the thread. What comes later is refused."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _put(self, entry: _AnyEntry) -> None:
        if self._closing:
            raise Overloaded("The database is being closed.")
        self._queue.put(entry)

    async def _room(self) -> None:
        waiter: asyncio.Future[None] = self._running_loop().create_future()
        self._waiting_for_room.append(waiter)
        await waiter

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        assert self._loop is None or self._loop is loop, "one store belongs to one event loop"
        self._loop = loop
        return loop

    def _run(self) -> None:
        """The thread. While several write at once it pauses between commits, so that each commit serves more of them
        and takes the interpreter from the event loop less often; who writes alone is never kept waiting."""
        group = self._next_group()
        while group:
            self._commit(group)
            self._tell(group)
            if len(group) > 1:
                time.sleep(self._limits.gather_s)
            group = self._next_group()

    def _next_group(self) -> list[_AnyEntry]:
        """Waits for an entry, then takes what else is there. Empty when nothing follows."""
        group: list[_AnyEntry] = []
        entry = self._queue.get()
        while entry is not None:
            group.append(entry)
            if self._queue.qsize() == 0 or len(group) >= self._limits.group_size:
                return group
            entry = self._queue.get()
        self._queue.put(None)
        return group

    def _commit(self, group: list[_AnyEntry]) -> None:
        """Run a group in one transaction; afterwards each entry has its result or its error."""
        by_operation: dict[GroupOperation[Any, Any], list[_AnyEntry]] = {}
        for entry in group:
            by_operation.setdefault(entry.operation, []).append(entry)
        try:
            begin(self._connection)
            for entries in by_operation.values():
                self._apply(entries)
            commit(self._connection)
        except sqlite3.Error as failure:
            abandon(self._connection)
            for entry in group:
                entry.error = InternalError("The database could not be written.")
                entry.error.__cause__ = failure

    def _apply(self, entries: list[_AnyEntry]) -> None:
        """Entries of one operation: together, and one by one when that fails."""
        with Savepoint(self._connection) as savepoint:
            results = entries[0].operation(self._connection, [entry.item for entry in entries])
            assert len(results) == len(entries), "an operation answers each of its items"
            for entry, result in zip(entries, results, strict=True):
                entry.result = result
        if savepoint.error is None:
            return
        if len(entries) == 1:
            entries[0].error = savepoint.error
            return
        for entry in entries:
            self._apply([entry])

    def _tell(self, group: list[_AnyEntry]) -> None:
        assert self._loop is not None, "whoever queued ran on a loop"
        try:
            self._loop.call_soon_threadsafe(self._resolve, group)
        except RuntimeError:
            # The loop ended without closing the store: nobody is left who could be told.
            assert self._loop.is_closed()

    def _resolve(self, group: list[_AnyEntry]) -> None:
        """On the event loop: hand out what came of a group."""
        for entry in group:
            if entry.future is None or entry.future.done():  # done: its caller was cancelled
                if entry.error is not None:
                    self._on_lost_write(entry.error)
                elif entry.on_written is not None:
                    entry.on_written()
            elif entry.error is not None:
                entry.future.set_exception(entry.error)
            else:
                entry.future.set_result(entry.result)
        while self._waiting_for_room:
            waiter = self._waiting_for_room.popleft()
            if not waiter.done():
                waiter.set_result(None)
