"""Group commit: many tasks' writes, one transaction, one wait for the disk.

One thread owns the writing connection. While it is at work, entries gather on the event loop; when it is done, all of
them (up to a limit) are handed to it as the next group:

    tasks      a  b  c           d  e  f  g                      each awaits its future
    writer     BEGIN a b c COMMIT BEGIN d e f g COMMIT            one durable COMMIT per group
    loop                         ^ a b c resolved at once        one call_soon_threadsafe per group

So the number of commits follows the disk's pace, whatever the load. While several tasks write at once, commits are kept
apart, also where the disk is faster, until as many have come as can be expected, some milliseconds at most
(``company``): most of what a commit costs does not depend on how many share it. Who writes alone, group after group, is
never kept waiting.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from servery.core.errors import Overloaded
from servery.store.company import Company
from servery.store.limits import StoreLimits
from servery.store.transaction import Writer
from servery.store.writer_thread import AnyEntry, Entry, GroupOperation, WriterThread

Item = TypeVar("Item")
Result = TypeVar("Result")

_EXPIRY_INTERVAL_S: Final = 0.25


class GroupCommit:
    """What gathers, and the writer's thread. All methods are called on one event loop's thread."""

    def __init__(self, writer: Writer, limits: StoreLimits, *, on_lost_write: Callable[[Exception], None]) -> None:
        self._limits = limits
        self._on_lost_write = on_lost_write
        self._gathered: deque[AnyEntry] = deque()
        self._in_hand: list[AnyEntry] = []  # with the thread
        self._handed_over_s = 0.0
        self._company = Company(limits.gather_s)
        self._handover: asyncio.Handle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._waiting_for_room: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False
        self._drained: asyncio.Future[None] | None = None
        self._writer_thread = WriterThread(writer)

    @property
    def queued(self) -> int:
        """How many operations wait for the writer now."""
        return len(self._gathered)

    @property
    def is_stalled(self) -> bool:
        """Whether the present commit takes longer than any should."""
        if not self._in_hand:
            return False
        assert self._loop is not None, "whoever queued ran on a loop"
        return self._loop.time() - self._handed_over_s > self._limits.stall_s

    @property
    def is_failing(self) -> bool:
        """Whether the last group could not be committed, whatever it was."""
        return self._writer_thread.has_failed

    async def write(self, operation: GroupOperation[Item, Result], item: Item) -> Result:
        """Queue, and return the result once it is durable. Waits for room when the queue is full."""
        loop = self._loop or self._running_loop()
        while len(self._gathered) >= self._limits.queued_writes:
            await self._room(loop)
        future: asyncio.Future[Result] = loop.create_future()
        self._put(Entry(operation, item, queued_s=loop.time(), future=future))
        return await future

    def write_soon(
        self,
        operation: GroupOperation[Item, Result],
        item: Item,
        *,
        on_written: Callable[[], None] | None = None,
        on_lost: Callable[[Exception], bool] | None = None,
    ) -> None:
        """Queue and return. Raises Overloaded when even the room kept for those that cannot wait is full."""
        loop = self._loop or self._running_loop()
        if len(self._gathered) >= 2 * self._limits.queued_writes:
            raise Overloaded("The database cannot keep up with what is to be written.")
        self._put(Entry(operation, item, queued_s=loop.time(), on_written=on_written, on_lost=on_lost))

    async def close(self) -> None:
        """Write what is queued, then end the thread. What comes later is refused."""
        self._closing = True
        self._writer_thread.give_up()
        if self._gathered or self._in_hand:
            assert self._loop is not None, "whoever queued ran on a loop"
            self._drained = self._drained or self._loop.create_future()
            if not self._in_hand:
                self._hand_over()
            await self._drained
        await self._writer_thread.end()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _put(self, entry: AnyEntry) -> None:
        if self._closing:
            raise Overloaded("The database is being closed.")
        self._gathered.append(entry)
        self._company.came_s = entry.queued_s
        is_enough = len(self._gathered) == self._company.enough
        if not self._in_hand and (is_enough or self._handover is None):
            self._schedule()

    def _schedule(self) -> None:
        assert self._loop is not None, "whoever queued ran on a loop"
        if self._handover is not None:
            self._handover.cancel()
        company = self._company
        if len(self._gathered) >= company.enough or company.due_s <= self._loop.time():
            # Soon, not now: what else is written in this round of the loop comes along.
            self._handover = self._loop.call_soon(self._hand_over)
        else:
            self._handover = self._loop.call_at(company.due_s, self._hand_over)

    def _hand_over(self) -> None:
        """Give the thread the next group."""
        assert self._loop is not None, "whoever queued ran on a loop"
        if self._handover is not None:
            self._handover.cancel()
            self._handover = None
        if self._in_hand or not self._gathered:
            return
        size = min(len(self._gathered), self._limits.group_size)
        self._in_hand = [self._gathered.popleft() for _ in range(size)]
        self._handed_over_s = self._loop.time()
        self._company.went(size, self._handed_over_s)
        self._expiry = self._loop.call_later(self._limits.commit_timeout_s, self._refuse_overdue)
        self._writer_thread.commit(self._in_hand, self._loop, self._committed)

    def _committed(self) -> None:
        """On the event loop: hand out what came of a group, and begin the next."""
        assert self._expiry is not None, "a group is watched"
        self._expiry.cancel()
        group, self._in_hand = self._in_hand, []
        for entry in group:
            self._resolve(entry)
        if self._gathered and self._closing:
            self._hand_over()
        elif self._gathered:
            self._schedule()
        elif self._drained is not None:
            self._drained.set_result(None)
        self._let_in()

    async def _room(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until there may be some. Raises Overloaded where the database does not make any in time."""
        waiter = loop.create_future()
        self._waiting_for_room.append(waiter)
        try:
            async with asyncio.timeout(self._limits.commit_timeout_s):
                await waiter
        except TimeoutError:
            raise _unanswered() from None

    def _let_in(self) -> None:
        while self._waiting_for_room and len(self._gathered) < self._limits.queued_writes:
            waiter = self._waiting_for_room.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _resolve(self, entry: AnyEntry) -> None:
        if entry.future is None or entry.future.done():  # done: its caller was cancelled, or refused
            if entry.error is not None and not entry.withdrawn:
                if entry.on_lost is None or not entry.on_lost(entry.error):
                    self._on_lost_write(entry.error)
            elif entry.on_written is not None:
                entry.on_written()
        elif entry.error is not None:
            entry.future.set_exception(entry.error)
        else:
            entry.future.set_result(entry.result)

    def _refuse_overdue(self) -> None:
        """While the database is away: refuse callers that have waited long enough. Operations that nobody waits for
        stay."""
        assert self._loop is not None, "whoever queued ran on a loop"
        self._expiry = self._loop.call_later(_EXPIRY_INTERVAL_S, self._refuse_overdue)
        oldest_s = self._loop.time() - self._limits.commit_timeout_s
        for entry in self._in_hand:
            _refuse(entry)
        overdue = [entry for entry in self._gathered if entry.future is not None and entry.queued_s < oldest_s]
        for entry in overdue:
            _refuse(entry)
        self._gathered = deque(entry for entry in self._gathered if not entry.withdrawn)
        self._let_in()


def _refuse(entry: AnyEntry) -> None:
    if entry.future is not None and not entry.future.done():
        entry.withdrawn = True
        entry.future.set_exception(_unanswered())


def _unanswered() -> Overloaded:
    return Overloaded("The database does not answer, please try again.", retry_after_s=1.0)
