"""A platform's spools: its own, and what others have left in theirs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from servery.core.misconfigured import Misconfigured
from servery.fleet.share import Share
from servery.metering.feed import Feed
from servery.metering.spool import Spool, orphaned_spools, spool_directory
from servery.metering.spool_progress import wait_fed
from servery.metering.usage_table import UsageTable
from servery.settings import Settings
from servery.store.database import Database
from servery.store.log_limits import LogLimits

SPOOL_PATIENCE_S: Final = 2.0
"""How long a response's end waits for the spool or the database, whichever comes first, before it tries the other."""

_GATHER_S: Final = 0.5
_GATHER_BESIDE_OTHERS_S: Final = 0.2
"""How long charges gather before they are posted together: each posting has its price, whatever it holds. Where there
are other workers it is less, for they cannot ask for what this one has released, and only wait for it."""

_OTHERS_S: Final = 0.5
"""How long an answer of the control API is kept back by another worker whose charges are not in the books yet."""

_ENDING_S: Final = 30.0
"""What a worker whose supervisor was killed may take to end, beyond the time in which it drains."""

_LOOK_AGAIN_S: Final = 0.1


class Spooling:
    """Of one of a platform's workers."""

    def __init__(self, settings: Settings, database: Database, table: UsageTable, share: Share) -> None:
        self._settings = settings
        self._database = database
        self._table = table
        self._share = share

    async def open(self) -> Spool:
        """This worker's spool. Raises Misconfigured."""
        return await self._open(spool_directory(self._settings.spool_directory, self._share.index))

    def feed(self, spool: Spool) -> Feed:
        """What brings this worker's charges into the books."""
        interval_s = _GATHER_S if self._share.count == 1 else _GATHER_BESIDE_OTHERS_S
        return Feed(spool, self._database, self._table, interval_s=interval_s)

    async def take_over(self, feed: Feed) -> None:
        """What a killed platform has left in its spools comes into the books; also what is left in those of workers
        that are no more."""
        await feed.all()
        if self._share.index != 0:
            return
        for orphan in orphaned_spools(self._settings.spool_directory, workers=self._share.count):
            spool = await self._open(orphan)
            orphans_feed = Feed(spool, self._database, self._table)
            await orphans_feed.all()
            await orphans_feed.close()
            await spool.close()
            spool.remove()

    def caught_up(self, feed: Feed) -> Callable[[], Awaitable[None]]:
        """Returns when the books have what this worker and the others of its platform have released."""
        indices = (index for index in range(self._share.count) if index != self._share.index)
        others = [spool_directory(self._settings.spool_directory, index) for index in indices]

        async def caught_up() -> None:
            if await feed.caught_up():
                await wait_fed(others, timeout_s=_OTHERS_S)

        return caught_up

    async def _open(self, directory: Path) -> Spool:
        """Where the supervisor was killed, one of its workers may still be ending responses and keep their charges
        there: that one comes to its end by itself, and first."""
        settings = self._settings
        patience_s = min(SPOOL_PATIENCE_S, settings.commit_timeout_s)  # then the database is tried
        limits = LogLimits(gather_s=settings.commit_gather_ms / 1_000, timeout_s=patience_s)
        try:
            async with asyncio.timeout(settings.drain_timeout_s + _ENDING_S):
                while True:
                    try:
                        return Spool.open(directory, most=settings.spool_size, limits=limits)
                    except BlockingIOError:
                        await asyncio.sleep(_LOOK_AGAIN_S)
        except TimeoutError:
            raise Misconfigured(f"{directory}: another process has this spool") from None
        except OSError as error:
            raise Misconfigured(f"{directory}: the spool cannot be opened: {error}") from error
