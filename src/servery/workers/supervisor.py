"""The supervisor: keeps the embedded engines and the workers; serves nothing itself."""

import asyncio
import socket

import msgspec

from servery.app import Foundation, lay_foundation
from servery.core.clock import Clock
from servery.core.misconfigured import Misconfigured
from servery.fleet.replica import Replica
from servery.fleet.replica_news import ReplicaNews
from servery.fleet.station import Station
from servery.life import close_foundation, greeting, stop_signals
from servery.settings import LogFormat, Settings
from servery.telemetry.announcer import Announcer
from servery.telemetry.log import set_up_logging
from servery.workers.crew import Crew


async def supervise(settings: Settings, announcer: Announcer, clock: Clock) -> int:
    """Run ``settings.workers`` workers until SIGINT or SIGTERM; returns the exit status. Raises Misconfigured."""
    logger = set_up_logging(level=settings.log_level, as_json=settings.log_format is LogFormat.JSON)
    foundation = lay_foundation(
        settings, announcer=announcer, logger=logger, clock=clock, station=Station(serves=False)
    )
    _check_shares(foundation)
    with _reserve_port(settings.host, settings.port) as holder:
        port = int(holder.getsockname()[1])
        for warning in foundation.catalog.warnings:
            announcer.say(f"warning: {warning}")
        announcer.say(f"Servery: state in {settings.data_dir}; starting engines and {settings.workers} workers")
        crew = Crew(msgspec.structs.replace(settings, port=port), count=settings.workers, announcer=announcer)
        _report(foundation, crew)
        engines = asyncio.create_task(foundation.fleet.run(), name="fleet")
        workers = asyncio.create_task(crew.run(), name="workers")
        try:
            await _until_stopped(foundation, crew, announcer, {engines, workers}, port=port)
        finally:
            workers.cancel()
            await asyncio.wait({workers})
            engines.cancel()
            await asyncio.wait({engines})
            await close_foundation(foundation)
    for task in (engines, workers):
        if not task.cancelled():
            task.result()
    announcer.say("Stopped.")
    return 0


async def _until_stopped(
    foundation: Foundation, crew: Crew, announcer: Announcer, tasks: set[asyncio.Task[None]], *, port: int
) -> None:
    asked = asyncio.Event()

    def signalled() -> None:
        if asked.is_set():
            crew.hurry()
        asked.set()

    for name in stop_signals():
        asyncio.get_running_loop().add_signal_handler(name, signalled)
    stop = asyncio.create_task(asked.wait())
    ready = asyncio.create_task(crew.wait_until_ready())
    await asyncio.wait({ready, stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        announcer.say(f"\n{await greeting(foundation, port)}\n\nCtrl-C stops.")
    ready.cancel()
    await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    announcer.say("Stopping: running requests may finish. Ctrl-C again cuts them off.")


def _report(foundation: Foundation, crew: Crew) -> None:
    """Tell the crew of each change of an embedded engine."""
    told: dict[str, ReplicaNews] = {}

    def tell() -> None:
        for pool in foundation.fleet.pools.values():
            for replica in pool.replicas:
                news = _news(replica)
                if told.get(replica.name) != news:
                    told[replica.name] = news
                    crew.tell(news)

    for pool in foundation.fleet.pools.values():
        pool.listen(tell)


def _news(replica: Replica) -> ReplicaNews:
    if replica.is_ready:
        return ReplicaNews(replica=replica.name, restarts=replica.restarts, address=replica.client.address)
    return ReplicaNews(replica=replica.name, restarts=replica.restarts, reason=replica.reason)


def _check_shares(foundation: Foundation) -> None:
    """Raises Misconfigured where a worker would have no place in a pool."""
    workers = foundation.settings.workers
    for pool in foundation.catalog.pools.values():
        places = sum(spec.concurrency for spec in pool.replica_specs())
        if places < workers:
            raise Misconfigured(
                f"--workers {workers}: the pool {pool.name} takes {places} requests at once, so not every worker"
                " would have a place in it"
            )


def _reserve_port(host: str, port: int) -> socket.socket:
    """A socket that holds a port on which this process does not listen and its workers may. Raises Misconfigured when
    another process has it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)  # fails also where others share the port among them
        holder = socket.socket(family, kind, protocol)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
    except OSError as error:
        raise Misconfigured(f"cannot listen on {host}:{port}: {error}") from error
    return holder
