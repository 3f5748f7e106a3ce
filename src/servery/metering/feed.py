"""The feed: brings what is in the spool into the books, some hundred postings at a time.

A group of postings costs the database little more than a single one, and no client waits for it. So they gather for a
moment first; whoever wants to see in the books what was released already asks for it (``caught_up``).
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from servery.core.cancellation import end
from servery.core.errors import InternalError, Overloaded
from servery.metering.posting import REQUEST_ID, Posting, facts
from servery.metering.spool import Spool
from servery.metering.usage_table import UsageTable, other_facts
from servery.store.database import Database

_AT_ONCE: Final = 2_000
"""So many are posted in one transaction, which takes ten milliseconds or so: other writes wait no longer for it."""
_AWAY: Final = (Overloaded, InternalError)
"""What says that nothing was written, and nothing about what was to be written."""


class Feed:
    """Feeds as long as there is a running event loop and something in the spool. ``interval_s``: how long postings
    gather; ``retry_s``: after which a database is tried again that was away."""

    def __init__(
        self, spool: Spool, database: Database, table: UsageTable, *, interval_s: float = 0.2, retry_s: float = 1.0
    ) -> None:
        self._spool = spool
        self._database = database
        self._table = table
        self._interval_s = interval_s
        self._retry_s = retry_s
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[bool] | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._is_closed = False
        spool.on_kept = self._begin_soon

    async def caught_up(self, *, timeout_s: float = 1.0) -> bool:
        """Returns once all that was handed to the spool before the call is in the books, or cannot be: true; false
        where that takes longer, and at once where the database does not answer."""
        target = self._spool.kept_to
        if self._spool.fed_to >= target:
            return True
        if self._database.is_stalled:
            return False
        caught_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((target, caught_up))
        if not self._spool.is_empty:
            self._begin()
        try:
            async with asyncio.timeout(timeout_s):
                await caught_up
        except TimeoutError:
            return False
        return True

    async def all(self) -> None:
        """Bring all that is durable in the spool into the books. Raises Overloaded when they are away."""
        while not self._spool.is_empty:
            self._begin()
            assert self._task is not None, "it was begun"
            if not await asyncio.shield(self._task):
                raise Overloaded("The database does not answer, please try again.", retry_after_s=1.0)

    async def close(self) -> None:
        """Feed no more; what is in the spool stays there. To be called before the database is closed."""
        self._is_closed = True
        self._spool.on_kept = _nothing
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await end(self._task)

    def _begin_soon(self) -> None:
        """Some have become durable."""
        if self._timer is None and self._task is None:
            pause_s = 0.0 if self._waiting else self._interval_s
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._begin)
        elif self._waiting:
            self._begin()

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._feed(), name="feed")
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[bool]) -> None:
        self._task = None
        if task.cancelled() or self._is_closed or self._spool.is_empty:
            return
        error = task.exception()
        has_failed = error is not None or not task.result()
        loop = asyncio.get_running_loop()
        if error is not None:
            loop.call_exception_handler({"message": "charges wait in the spool", "exception": error})
        pause_s = self._retry_s if has_failed else 0.0 if self._waiting else self._interval_s
        self._timer = loop.call_later(pause_s, self._begin)

    async def _feed(self) -> bool:
        """Feed what is there; true when nothing of it is left, false where the database is away."""
        target = self._spool.kept_to
        while self._spool.fed_to < target and (batch := await self._spool.oldest(_AT_ONCE)):
            try:
                if not await self._is_posted(batch):
                    await self._post_apart(batch)
            except _AWAY:
                return False
            self._spool.fed(len(batch))
            self._tell()
        return True

    async def _is_posted(self, batch: Sequence[Posting]) -> bool:
        """Post all of it; false where something of it cannot be, and nothing was."""
        (outcome,) = await asyncio.gather(
            self._database.write_grouped(self._table.post_many, batch), return_exceptions=True
        )
        return not _has_failed(outcome)

    async def _post_apart(self, batch: Sequence[Posting]) -> None:
        """Something of it was posted before, or the books do not take it."""
        request_ids = [posting[REQUEST_ID] for posting in batch]
        before = await self._database.look_up(lambda connection: self._table.posted(connection, request_ids))
        rest = []
        for posting in batch:
            first = before.get(posting[REQUEST_ID])
            if first is None:
                rest.append(posting)
            elif first != facts(posting):
                await self._spool.refuse(posting, str(other_facts(first, posting)))
        if not rest or await self._is_posted(rest):
            return
        outcomes = await asyncio.gather(
            *(self._database.write_grouped(self._table.post, posting) for posting in rest), return_exceptions=True
        )
        for posting, outcome in zip(rest, outcomes, strict=True):
            if _has_failed(outcome):
                await self._spool.refuse(posting, str(outcome))

    def _tell(self) -> None:
        """Those who wait for what is in the books now."""
        waiting, self._waiting = self._waiting, []
        for target, caught_up in waiting:
            if self._spool.fed_to < target:
                self._waiting.append((target, caught_up))
            elif not caught_up.done():
                caught_up.set_result(None)


def _has_failed(outcome: BaseException | None) -> bool:
    """Whether the books did not take it. Raises what says nothing about it."""
    if isinstance(outcome, _AWAY) or (outcome is not None and not isinstance(outcome, Exception)):
        raise outcome
    return outcome is not None


def _nothing() -> None: ...
