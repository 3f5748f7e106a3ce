"""A platform's life: started, welcomed, served, drained."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop

from servery.app import Platform, build
from servery.control.open_account import create_key
from servery.core.clock import Clock, SystemClock, utc_date
from servery.settings import LogFormat, Settings
from servery.store.process_lock import ProcessLock
from servery.telemetry.announcer import Announcer
from servery.telemetry.log import set_up_logging
from servery.web.server.listener import Listener
from servery.welcome import welcome

START_KEY_DAYS = 7
"""How long a key that is printed at a start is good for."""

_COLLECT_AFTER_ALLOCATIONS = 50_000
_DAY_NS = 86_400 * 1_000_000_000


def serve(settings: Settings) -> int:
    """Run the platform until SIGINT or SIGTERM; returns the exit status. Raises Misconfigured when it cannot start."""
    with ProcessLock(settings.data_dir / "servery.lock"):
        return uvloop.run(_serve(settings, Announcer(sys.stdout), SystemClock()))


class StopSignals:
    """SIGINT and SIGTERM: the first asks for an orderly end, a second one for a quick one."""

    def __init__(self, listener: Listener) -> None:
        self.asked = asyncio.Event()
        self._listener = listener
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self._signalled)

    def _signalled(self) -> None:
        if self.asked.is_set():
            self._listener.abort()
        self.asked.set()


@asynccontextmanager
async def running(platform: Platform) -> AsyncIterator[asyncio.Task[None]]:
    """Keep the engines running; yields the task that does so, which ends only when something is wrong with it.
    Leaving the block drains and stops everything."""
    foundation = platform.foundation
    engines = asyncio.create_task(foundation.fleet.run(), name="fleet")
    try:
        yield engines
    finally:
        platform.entrance.is_draining = True
        await platform.listener.drain(timeout_s=foundation.settings.drain_timeout_s)
        engines.cancel()
        await asyncio.wait({engines})
        foundation.fleet.close()
        foundation.key_ring.record_last_uses()
        await foundation.database.close()
        for handler in foundation.logger.handlers:
            handler.flush()
    if not engines.cancelled():
        engines.result()


async def _serve(settings: Settings, announcer: Announcer, clock: Clock) -> int:
    logger = set_up_logging(level=settings.log_level, as_json=settings.log_format is LogFormat.JSON)
    platform = await build(settings, announcer=announcer, logger=logger, clock=clock)
    port = await platform.listener.start(settings.host, settings.port)
    signals = StopSignals(platform.listener)
    for warning in platform.foundation.catalog.warnings:
        announcer.say(f"warning: {warning}")
    announcer.say(f"Servery: state in {settings.data_dir}; starting engines")
    async with running(platform) as engines:
        started = asyncio.create_task(platform.foundation.fleet.wait_until_started())
        stop = asyncio.create_task(signals.asked.wait())
        await asyncio.wait({started, stop, engines}, return_when=asyncio.FIRST_COMPLETED)
        _spare_the_collector()
        if started.done():
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            scheme = "http" if settings.tls_certificate is None else "https"
            text = await _welcome(platform, f"{scheme}://{host}:{port}")
            announcer.say(f"\n{text}\n\nCtrl-C stops.")
        started.cancel()
        await asyncio.wait({stop, engines}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        announcer.say("Stopping: running requests may finish. Ctrl-C again cuts them off.")
    announcer.say("Stopped.")
    return 0


def _spare_the_collector() -> None:
    """What lives from now on lives long or is freed by its reference count: full collections find next to nothing, and
    each would stop all streams while it looks through everything that was loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_ALLOCATIONS, 50, 100)


async def _welcome(platform: Platform, base_url: str) -> str:
    foundation = platform.foundation
    clock, settings = foundation.clock, foundation.settings
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
    return welcome(base_url=base_url, key=key, catalog=foundation.catalog, offers=offers)
