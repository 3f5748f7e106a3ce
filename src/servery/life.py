"""How a platform lives in a process: it starts, serves, and is drained in good order."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servery.app import Foundation, Platform
from servery.control.open_account import create_key
from servery.core.cancellation import end
from servery.core.clock import utc_date
from servery.core.errors import ServeryError
from servery.sharing import Sharing
from servery.web.server.listener import Listener
from servery.welcome import welcome

START_KEY_DAYS = 7
"""How long a key that is printed at a start is good for."""

_FEED_S = 5.0
"""How long the end of a platform is kept back by a database that does not take what is left in the spool."""

_COLLECT_AFTER_ALLOCATIONS = 50_000
_DAY_NS = 86_400 * 1_000_000_000


def stop_signals() -> tuple[signal.Signals, ...]:
    """What asks for an end: SIGINT, SIGTERM, and SIGHUP, which a terminal sends when it is closed; but not where
    whoever started this process has it ignore that, as ``nohup`` does."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """The first that comes asks for an orderly end, a second one to cut off what still runs, a third one to do that
    without a word."""

    def __init__(self, listener: Listener) -> None:
        self.asked = asyncio.Event()
        self._listener = listener
        loop = asyncio.get_running_loop()
        for name in stop_signals():
            loop.add_signal_handler(name, self._signalled)

    def _signalled(self) -> None:
        if self.asked.is_set() or self._listener.is_draining:
            self._listener.hurry()
        self.asked.set()


@asynccontextmanager
async def running(platform: Platform) -> AsyncIterator[asyncio.Task[None]]:
    """Keep the engines running; yields the task that does so, which ends only when something is wrong with it.
    Leaving the block drains and stops everything."""
    foundation = platform.foundation
    await foundation.shared_metrics.open()
    await foundation.shared_refusals.open()
    engines = asyncio.create_task(foundation.fleet.run(), name="fleet")
    rounds = asyncio.create_task(platform.rounds.run(), name="rounds")
    post = asyncio.create_task(platform.post.run(), name="post")
    try:
        yield engines
    finally:
        platform.entrance.is_draining = True
        await platform.listener.drain(
            timeout_s=foundation.settings.drain_timeout_s, before_cut=platform.entrance.cut_off
        )
        engines.cancel()
        await end(rounds, post)
        await asyncio.wait({engines})
        await platform.post.close()
        await platform.limit_keeper.close()
        if platform.sharing is not None:
            await _give_back(platform.sharing, foundation)
        await platform.feed.caught_up(timeout_s=_FEED_S)  # else the next start feeds it
        await platform.feed.close()
        await close_foundation(foundation)
        await platform.spool.close()  # to which the database hands what it could not write
    if not engines.cancelled():
        engines.result()


async def _give_back(sharing: Sharing, foundation: Foundation) -> None:
    try:
        foundation.database.check_not_stalled()
        await sharing.close()
    except ServeryError as error:
        fields = {"code": error.code, "reason": error.message}
        foundation.logger.warning("what was borrowed could not be given back, and expires", extra={"fields": fields})


async def close_foundation(foundation: Foundation) -> None:
    """After all that stood on it has ended."""
    foundation.fleet.close()
    foundation.shared_metrics.close()
    foundation.shared_refusals.close()
    foundation.key_ring.record_last_uses()
    await foundation.database.close()
    for handler in foundation.logger.handlers:
        handler.flush()


async def greeting(foundation: Foundation, port: int) -> str:
    """What the operator reads once the platform serves on ``port``: with a new key of the first account, where the
    settings want one."""
    clock, settings = foundation.clock, foundation.settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "http" if settings.tls_certificate is None else "https"
    key = "(servery key create makes one)"
    if settings.print_key:
        created = await create_key(
            foundation.database,
            clock,
            settings.first_account,
            open_if_new=True,
            display_name="printed at start",
            expires_ns=clock.wall_ns() + START_KEY_DAYS * _DAY_NS,
            admin=True,
        )
        key = created.key
    offers = foundation.catalog.offers(utc_date(clock.wall_ns()))
    return welcome(base_url=f"{scheme}://{host}:{port}", key=key, catalog=foundation.catalog, offers=offers)


def spare_the_collector() -> None:
    """What lives from now on lives long or is freed by its reference count: full collections find next to nothing, and
    each would stop all streams while it looks through everything that was loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_ALLOCATIONS, 50, 100)
