"""The one place where the parts meet: ``build`` puts a platform together, ``serve`` runs it until told to stop."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path

import msgspec
import uvloop
from starlette.applications import Starlette

from servery.admission.gate import Gate
from servery.billing.price_versions import PriceVersions
from servery.catalog.catalog import Catalog
from servery.catalog.own_model import own_model_catalog
from servery.catalog.pool import EmbeddedEngine, UrlEngine
from servery.catalog.source import catalog_from_file, default_catalog
from servery.control.open_account import create_key
from servery.core.clock import Clock, SystemClock
from servery.core.misconfigured import Misconfigured
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.engines.connections import ConnectionLimits
from servery.engines.exchange import ExchangeLimits
from servery.fleet.client_factory import ClientFactory
from servery.fleet.fleet import Fleet, FleetParts
from servery.fleet.local_launcher import LaunchLimits
from servery.fleet.machine_check import missing
from servery.fleet.prober import ProbePace
from servery.limits.estimate import Estimators
from servery.limits.limiter import Limiter
from servery.metering.meter import Meter
from servery.routing.router import Router
from servery.serving.dispatch import Dispatch
from servery.serving.pipeline import Pipeline, PipelineParts
from servery.serving.price_ids import PriceIds
from servery.serving.telling_observer import TellingObserver
from servery.settings import LogFormat, Settings, secret
from servery.store.database import Database
from servery.store.limits import StoreLimits
from servery.store.process_lock import ProcessLock
from servery.telemetry.announcer import Announcer
from servery.telemetry.log import set_up_logging
from servery.telemetry.metrics import Metrics
from servery.tenancy.key_ring import KeyRing
from servery.web.control.routes import ControlParts, control_routes
from servery.web.fallback import exception_handlers
from servery.web.openai.errors import error_body
from servery.web.routes import inference_routes
from servery.web.server.asgi_bridge import AsgiBridge
from servery.web.server.entrance import Entrance
from servery.web.server.listener import Listener
from servery.web.server.server_limits import ServerLimits
from servery.web.status import status_routes
from servery.welcome import welcome

START_KEY_DAYS = 7
"""How long a key that is printed at a start is good for."""

_DAY_NS = 86_400 * 1_000_000_000


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """A platform that has been put together. It listens and serves once its parts are started."""

    settings: Settings
    catalog: Catalog
    database: Database
    key_ring: KeyRing
    fleet: Fleet
    gates: dict[str, Gate]
    entrance: Entrance
    listener: Listener
    metrics: Metrics
    clock: Clock


def serve(settings: Settings) -> int:
    """Run the platform until SIGINT or SIGTERM; returns the exit status. Raises Misconfigured when it cannot start."""
    with ProcessLock(settings.data_dir / "servery.lock"):
        return uvloop.run(_serve(settings, Announcer(sys.stdout), SystemClock()))


async def build(settings: Settings, *, announcer: Announcer, logger: logging.Logger, clock: Clock) -> Platform:
    """Read the catalog, open the database, and connect the parts. Starts nothing. Raises Misconfigured."""
    catalog = _catalog(settings, _today(clock))
    if any(isinstance(pool.engine, EmbeddedEngine) for pool in catalog.pools.values()) and (lacking := missing()):
        raise Misconfigured("\n".join(lacking))
    metrics = Metrics()
    database = _database(settings, metrics, logger)
    fleet = Fleet(catalog.pools, _fleet_parts(settings, catalog, announcer, clock))
    gates = {name: Gate(pool, clock, wait_limit_s=settings.queue_wait_limit_s) for name, pool in fleet.pools.items()}
    _add_gauges(metrics, fleet, gates)
    meter, estimators = Meter(database, clock), Estimators()
    router = Router(slot_isolation=settings.slot_isolation)
    pipeline = Pipeline(
        PipelineParts(
            catalog=catalog,
            pools=fleet.pools,
            limiter=Limiter(clock),
            estimators=estimators,
            dispatch=Dispatch(pools=fleet.pools, gates=gates, router=router, estimators=estimators, meter=meter),
            meter=meter,
            price_ids=await _record_prices(catalog, database, clock),
            observer=TellingObserver(metrics, logger),
            clock=clock,
        )
    )
    key_ring = KeyRing(database, clock)
    app = Starlette(
        routes=[
            *status_routes(fleet, metrics, is_draining=lambda: entrance.is_draining),
            *control_routes(
                ControlParts(
                    catalog=catalog,
                    database=database,
                    key_ring=key_ring,
                    clock=clock,
                    render_inference_error=lambda error: error_body(error, ""),
                )
            ),
        ],
        exception_handlers=exception_handlers(),
    )
    entrance = Entrance(
        routes=inference_routes(),
        pipeline=pipeline,
        key_ring=key_ring,
        bridge=AsgiBridge(app),
        metrics=metrics,
        logger=logger,
    )
    return Platform(
        settings=settings,
        catalog=catalog,
        database=database,
        key_ring=key_ring,
        fleet=fleet,
        gates=gates,
        entrance=entrance,
        listener=Listener(entrance.handle, _server_limits(settings)),
        metrics=metrics,
        clock=clock,
    )


@asynccontextmanager
async def running(platform: Platform) -> AsyncIterator[str]:
    """Listen and start the engines; yields the base URL. Leaving the block drains and stops everything."""
    settings = platform.settings
    port = await platform.listener.start(settings.host, settings.port)
    engines = asyncio.create_task(platform.fleet.run(), name="fleet")
    try:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield f"http://{host}:{port}"
    finally:
        platform.entrance.is_draining = True
        await platform.listener.drain(timeout_s=settings.drain_timeout_s)
        engines.cancel()
        await asyncio.gather(engines, return_exceptions=True)
        platform.fleet.close()
        platform.key_ring.record_last_uses()
        await platform.database.close()


async def _serve(settings: Settings, announcer: Announcer, clock: Clock) -> int:
    logger = set_up_logging(level=settings.log_level, as_json=settings.log_format is LogFormat.JSON)
    platform = await build(settings, announcer=announcer, logger=logger, clock=clock)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    for warning in platform.catalog.warnings:
        announcer.say(f"warning: {warning}")
    announcer.say(f"Servery: state in {settings.data_dir}; starting engines")
    async with running(platform) as base_url:
        ready = asyncio.create_task(platform.fleet.wait_until_started())
        stop = asyncio.create_task(stopped.wait())
        await asyncio.wait({ready, stop}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            announcer.say(f"\n{await _welcome(platform, base_url)}\n\nCtrl-C stops.")
        ready.cancel()
        await stop
        announcer.say("Stopping: running requests may finish.")
    announcer.say("Stopped.")
    return 0


async def _welcome(platform: Platform, base_url: str) -> str:
    settings = platform.settings
    key = "(servery key create makes one)"
    if settings.print_key:
        created = await create_key(
            platform.database,
            platform.clock,
            settings.first_account,
            open_if_new=True,
            display_name="printed at start",
            expires_ns=platform.clock.wall_ns() + START_KEY_DAYS * _DAY_NS,
            admin=True,
        )
        key = created.key
    offers = platform.catalog.offers(_today(platform.clock))
    return welcome(base_url=base_url, key=key, catalog=platform.catalog, offers=offers)


def _today(clock: Clock) -> date:
    return datetime.fromtimestamp(clock.wall_ns() / 1_000_000_000, UTC).date()


def _catalog(settings: Settings, today: date) -> Catalog:
    account = settings.platform_account
    if settings.catalog is not None:
        return catalog_from_file(settings.catalog, today=today, account=account)
    if settings.model is not None:
        cores = len(os.sched_getaffinity(0))
        return own_model_catalog(settings.model, cores=cores, today=today, account=account)
    return default_catalog(today=today, account=account)


def _database(settings: Settings, metrics: Metrics, logger: logging.Logger) -> Database:
    def lost(error: Exception) -> None:
        metrics.lost_writes.inc()
        logger.error("a database write was lost", exc_info=error)

    limits = StoreLimits(queued_writes=settings.commit_queue_size, group_size=settings.commit_group_size)
    return Database.open(settings.database_file, limits=limits, on_lost_write=lost)


async def _record_prices(catalog: Catalog, database: Database, clock: Clock) -> PriceIds:
    versions = PriceVersions(database, clock)
    return PriceIds(
        {
            (offer.name, offer.path): await versions.record(offer.name, offer.path, offer.price)
            for offer in catalog.priced_offers()
        }
    )


def _fleet_parts(settings: Settings, catalog: Catalog, announcer: Announcer, clock: Clock) -> FleetParts:
    engines = [pool.engine for pool in catalog.pools.values()]
    key_names = {one.api_key_env for one in engines if isinstance(one, UrlEngine) and one.api_key_env}
    return FleetParts(
        packaged_model=Path(str(resources.files("servery.assets").joinpath("servery-demo.gguf"))),
        log_directory=settings.data_dir / "logs",
        engine_keys={name: secret(name) for name in key_names},
        limits=LaunchLimits(startup_timeout_s=settings.startup_timeout_s),
        pace=ProbePace(interval_s=settings.health_interval_s),
        clients=_client_factory(settings, clock),
        progress=announcer,
    )


def _client_factory(settings: Settings, clock: Clock) -> ClientFactory:
    connection_limits = ConnectionLimits(connect_timeout_s=settings.connect_timeout_s)
    exchange_limits = ExchangeLimits(
        first_byte_timeout_s=settings.first_token_timeout_s, chunk_timeout_s=settings.chunk_timeout_s
    )

    def new_client(address: EngineAddress) -> EngineClient:
        return EngineClient(address, connection_limits=connection_limits, exchange_limits=exchange_limits, clock=clock)

    return new_client


def _server_limits(settings: Settings) -> ServerLimits:
    return ServerLimits(
        max_header_bytes=settings.max_header_bytes,
        max_body_bytes=settings.max_body_bytes,
        max_connections=settings.max_connections,
        header_timeout_s=settings.header_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        write_stall_timeout_s=settings.write_stall_timeout_s,
    )


def _add_gauges(metrics: Metrics, fleet: Fleet, gates: dict[str, Gate]) -> None:
    replicas = [replica for pool in fleet.pools.values() for replica in pool.replicas]
    metrics.gauge(
        "replica_ready",
        "1 when the replica can serve.",
        ("replica",),
        lambda: [((one.name,), float(one.is_ready)) for one in replicas],
    )
    metrics.gauge(
        "replica_in_flight",
        "Requests in flight at the replica.",
        ("replica",),
        lambda: [((one.name,), one.in_flight) for one in replicas],
    )
    metrics.gauge(
        "replica_restarts",
        "How often the replica was started again.",
        ("replica",),
        lambda: [((one.name,), one.restarts) for one in replicas],
    )
    metrics.gauge(
        "queue_waiting",
        "Requests waiting for a place in the pool.",
        ("pool",),
        lambda: [((name,), gate.waiting) for name, gate in gates.items()],
    )
    metrics.gauge(
        "admissions",
        "Attempts to enter the pool, by outcome.",
        ("pool", "outcome"),
        lambda: [
            ((name, outcome.value), count) for name, gate in gates.items() for outcome, count in gate.outcomes.items()
        ],
    )
