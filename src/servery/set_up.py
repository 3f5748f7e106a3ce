"""What the settings mean for the parts of a platform."""

import logging
import os
import ssl
from datetime import date
from importlib import resources
from pathlib import Path

from servery.admission.policy import AdmissionPolicy
from servery.catalog.catalog import Catalog
from servery.catalog.engine import UrlEngine
from servery.catalog.own_model import own_model_catalog
from servery.catalog.source import catalog_from_file, default_catalog
from servery.core.clock import Clock
from servery.core.misconfigured import Misconfigured
from servery.core.write_turn import WriteTurn
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.exchange_limits import ExchangeLimits
from servery.fleet.client_factory import ClientFactory
from servery.fleet.fleet import FleetParts
from servery.fleet.load_scraper import ScrapePace
from servery.fleet.local_launcher import LaunchLimits
from servery.fleet.prober import ProbePace
from servery.fleet.station import Station
from servery.fleet.weights_store import WeightsStore
from servery.settings import Settings, inherited_environment, secret
from servery.store.database import Database
from servery.store.limits import StoreLimits
from servery.telemetry.announcer import Announcer
from servery.telemetry.metrics import Metrics
from servery.web.server.server_limits import ServerLimits

_STALE_AFTER_SCRAPES = 3
"""A load that could not be renewed so many times in a row is not believed any more."""


def catalog_of(settings: Settings, today: date) -> Catalog:
    """What is offered. Raises Misconfigured."""
    account = settings.platform_account
    if settings.catalog is not None:
        return catalog_from_file(settings.catalog, today=today, account=account)
    if settings.model is not None:
        cores = len(os.sched_getaffinity(0))
        return own_model_catalog(settings.model, cores=cores, today=today, account=account)
    return default_catalog(today=today, account=account)


def opened_database(settings: Settings, metrics: Metrics, logger: logging.Logger) -> Database:
    """Opened and migrated; writes that nobody waited for and that are lost are told of."""

    def lost(error: Exception) -> None:
        metrics.lost_writes.inc()
        logger.error("a database write was lost", exc_info=error)

    limits = StoreLimits(
        queued_writes=settings.commit_queue_size,
        group_size=settings.commit_group_size,
        gather_s=settings.commit_gather_ms / 1_000,
        commit_timeout_s=settings.commit_timeout_s,
    )
    return Database.open(settings.database_place, limits=limits, on_lost_write=lost)


def fleet_parts(
    settings: Settings, catalog: Catalog, announcer: Announcer, clock: Clock, station: Station
) -> FleetParts:
    """What the fleet is built with. Raises Misconfigured where an engine's key is missing."""
    engines = [engine for pool in catalog.pools.values() for engine in pool.engines]
    key_names = {one.api_key_env for one in engines if isinstance(one, UrlEngine) and one.api_key_env}
    return FleetParts(
        weights=WeightsStore(
            packaged_model=Path(str(resources.files("servery") / "assets" / "servery-demo.gguf")),
            directory=settings.data_dir / "models",
            environment=inherited_environment(),
        ),
        log_directory=settings.data_dir / "logs",
        engine_keys={name: secret(name) for name in key_names},
        limits=LaunchLimits(startup_timeout_s=settings.startup_timeout_s),
        pace=ProbePace(interval_s=settings.health_interval_s),
        load_pace=ScrapePace(
            interval_s=settings.health_interval_s, stale_after_s=_STALE_AFTER_SCRAPES * settings.health_interval_s
        ),
        clock=clock,
        clients=_client_factory(settings, clock),
        progress=announcer,
        station=station,
    )


def _client_factory(settings: Settings, clock: Clock) -> ClientFactory:
    connection_limits = ConnectionLimits(connect_timeout_s=settings.connect_timeout_s)
    exchange_limits = ExchangeLimits(
        first_byte_timeout_s=settings.first_token_timeout_s,
        chunk_timeout_s=settings.chunk_timeout_s,
        whole_timeout_s=settings.answer_timeout_s,
    )

    turn = WriteTurn()

    def new_client(address: EngineAddress) -> EngineClient:
        return EngineClient(
            address, connection_limits=connection_limits, exchange_limits=exchange_limits, clock=clock, turn=turn
        )

    return new_client


def admission_policy(settings: Settings) -> AdmissionPolicy:
    """How the gates decide."""
    return AdmissionPolicy(
        wait_limit_s=settings.queue_wait_limit_s,
        prefill_ahead_s=settings.prefill_ahead_s,
        standard_budget_s=settings.standard_wait_budget_s,
        priority_budget_s=settings.priority_wait_budget_s,
        standard_floor=settings.standard_floor,
        batch_headroom=settings.batch_headroom,
        recalls_per_request=settings.recalls_per_request,
    )


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Raises Misconfigured when only one of certificate and key is given, or they cannot be used."""
    if settings.tls_certificate is None and settings.tls_key is None:
        return None
    if settings.tls_certificate is None or settings.tls_key is None:
        raise Misconfigured("--tls-certificate and --tls-key: give both or neither")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"--tls-certificate {settings.tls_certificate}: cannot be used: {error}") from error
    return context


def server_limits(settings: Settings) -> ServerLimits:
    """What the listener bears."""
    return ServerLimits(
        max_header_bytes=settings.max_header_bytes,
        max_body_bytes=settings.max_body_bytes,
        max_connections=settings.max_connections,
        header_timeout_s=settings.header_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        write_stall_timeout_s=settings.write_stall_timeout_s,
    )
