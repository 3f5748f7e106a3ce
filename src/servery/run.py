"""``servery serve``: one process that does everything, or a supervisor with its workers."""

import asyncio
import signal
import sys

import uvloop

from servery.app import build
from servery.core.clock import Clock, SystemClock
from servery.fleet.station import Station
from servery.life import StopSignals, greeting, running, spare_the_collector, stop_signals
from servery.settings import LogFormat, Settings
from servery.store.process_lock import ProcessLock
from servery.telemetry.announcer import Announcer
from servery.telemetry.log import set_up_logging
from servery.workers.supervisor import supervise


def serve(settings: Settings) -> int:
    """Run the platform until SIGINT or SIGTERM; returns the exit status. Raises Misconfigured when it cannot start."""
    serving = _serve if settings.workers == 1 else supervise
    with ProcessLock(settings.data_dir / "servery.lock"):
        status = uvloop.run(serving(settings, Announcer(sys.stdout), SystemClock()))
    for name in stop_signals():
        signal.signal(name, signal.SIG_IGN)  # all is done: who asks again must not make it look like a failure
    return status


async def _serve(settings: Settings, announcer: Announcer, clock: Clock) -> int:
    logger = set_up_logging(level=settings.log_level, as_json=settings.log_format is LogFormat.JSON)
    platform = await build(settings, announcer=announcer, logger=logger, clock=clock, station=Station())
    port = await platform.listener.start(settings.host, settings.port)
    signals = StopSignals(platform.listener)
    for warning in platform.foundation.catalog.warnings:
        announcer.say(f"warning: {warning}")
    announcer.say(f"Servery: state in {settings.data_dir}; starting engines")
    async with running(platform) as engines:
        started = asyncio.create_task(platform.foundation.fleet.wait_until_started())
        stop = asyncio.create_task(signals.asked.wait())
        await asyncio.wait({started, stop, engines}, return_when=asyncio.FIRST_COMPLETED)
        spare_the_collector()
        if started.done():
            announcer.say(f"\n{await greeting(platform.foundation, port)}\n\nCtrl-C stops.")
        started.cancel()
        await asyncio.wait({stop, engines}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        announcer.say("Stopping: running requests may finish. Ctrl-C again cuts them off.")
    announcer.say("Stopped.")
    return 0
