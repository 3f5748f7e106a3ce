"""The one place where the parts meet."""

import logging
import random
import secrets
from collections.abc import Callable

import msgspec
from starlette.applications import Starlette

from servery.admission.gate import Gate
from servery.admission.speed_control import SpeedControl
from servery.billing.budgets import Budgets
from servery.billing.price_book import PriceBook
from servery.billing.spend_tiers import SpendTiers
from servery.billing.spending import Spending
from servery.catalog.catalog import Catalog
from servery.catalog.engine import EmbeddedEngine
from servery.control.account_review import AccountReview
from servery.control.account_watch import AccountWatch
from servery.control.bookkeeper import Bookkeeper
from servery.control.invoicing import Invoicing
from servery.control.month_turn import MonthTurn
from servery.control.post import Post, mail_server
from servery.control.reminders import Reminders
from servery.control.rounds import Duty, Rounds
from servery.core.clock import Clock, utc_date
from servery.core.misconfigured import Misconfigured
from servery.core.release import Release
from servery.core.siblings import Siblings
from servery.fleet.fleet import Fleet
from servery.fleet.machine_check import missing
from servery.fleet.share import Share
from servery.fleet.station import Station
from servery.gauges import add_connection_gauge, add_gauges, add_hedge_gauge, add_routing_gauges, add_spool_gauge
from servery.limits.aside_limits import AsideLimits
from servery.limits.ceiling_rules import ceiling_rules
from servery.limits.ceilings import Ceilings
from servery.limits.estimate import Estimators
from servery.limits.limit_keeper import LimitKeeper
from servery.limits.limiter import Limiter
from servery.limits.rules import limit_rules
from servery.metering.cut_requests import keep_cut_requests
from servery.metering.feed import Feed
from servery.metering.journal import Journal, journal_file, orphans
from servery.metering.meter import Meter
from servery.metering.refused_requests import RefusedRequests
from servery.metering.safekeeping import Safekeeping
from servery.metering.shared_refusals import SharedRefusals
from servery.metering.spool import Spool
from servery.metering.usage_table import UsageTable
from servery.routing.placements import Placements
from servery.routing.router import Router
from servery.serving.counting import Counting
from servery.serving.dispatch import Dispatch
from servery.serving.holds import Holds
from servery.serving.pipeline import Pipeline
from servery.serving.pipeline_parts import PipelineParts
from servery.serving.telling_observer import TellingObserver
from servery.set_up import admission_policy, catalog_of, fleet_parts, opened_database, server_limits, tls_context
from servery.settings import Settings
from servery.sharing import Sharing, is_shared, purses, sharing
from servery.spooling import SPOOL_PATIENCE_S, Spooling
from servery.store.database import Database
from servery.telemetry.announcer import Announcer
from servery.telemetry.metrics import Metrics
from servery.telemetry.shared_metrics import SharedMetrics
from servery.tenancy.audit_log import AuditLog
from servery.tenancy.key_ring import KeyRing
from servery.web.control.billing_routes import BillingParts
from servery.web.control.books_first import BooksFirst
from servery.web.control.pricing import public_pricing_route
from servery.web.control.rate_limits import Limits
from servery.web.control.routes import ControlParts, control_routes
from servery.web.fallback import exception_handlers, refusal_body
from servery.web.model_list import ModelListParts, model_list_routes
from servery.web.routes import inference_routes
from servery.web.server.asgi_bridge import AsgiBridge
from servery.web.server.entrance import Entrance
from servery.web.server.listener import Listener
from servery.web.status import status_routes

_ROUND_S = 1.0
"""How long a change that another process made may go unnoticed."""


class Foundation(msgspec.Struct, frozen=True, kw_only=True):
    """What the rest of a platform stands on."""

    settings: Settings
    clock: Clock
    logger: logging.Logger
    metrics: Metrics
    shared_metrics: SharedMetrics
    catalog: Catalog
    database: Database
    key_ring: KeyRing
    spending: Spending
    budgets: Budgets
    review: AccountReview
    limiter: Limiter
    ceilings: Ceilings
    prices: PriceBook
    refused: RefusedRequests
    shared_refusals: SharedRefusals
    placements: Placements
    worker: int
    fleet: Fleet


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """A platform that has been put together. It listens and serves once its parts are started."""

    foundation: Foundation
    entrance: Entrance
    listener: Listener
    rounds: Rounds
    post: Post
    limit_keeper: LimitKeeper
    sharing: Sharing | None
    feed: Feed
    spool: Spool


async def build(
    settings: Settings, *, announcer: Announcer, logger: logging.Logger, clock: Clock, station: Station
) -> Platform:
    """Read the catalog, open the database, and connect the parts. Starts nothing. Raises Misconfigured."""
    foundation = lay_foundation(settings, announcer=announcer, logger=logger, clock=clock, station=station)
    shared = _sharing(foundation, station)
    table = UsageTable(foundation.spending)
    spooling = Spooling(settings, foundation.database, table, station.share)
    spool = await spooling.open()
    add_spool_gauge(foundation.metrics, spool)
    feed = spooling.feed(spool)
    await spooling.take_over(feed)
    meter = await _meter(foundation, station.share, spool)
    if shared is not None:
        await shared.take_over(settings.journal_directory, station.share)
    pipeline, counting = await _services(foundation, meter, shared)
    keeper = await _limit_keeper(foundation, pipeline)
    watch = AccountWatch(foundation.key_ring, foundation.budgets, foundation.review, caught_up=feed.caught_up)
    control = _asgi_app(
        foundation, keeper, watch, is_draining=lambda: entrance.is_draining, can_keep=lambda: meter.can_keep
    )
    entrance = Entrance(
        routes=inference_routes(),
        pipeline=pipeline,
        counting=counting,
        key_ring=foundation.key_ring,
        bridge=AsgiBridge(BooksFirst(control, spooling.caught_up(feed))),
        bridged_refusal=refusal_body,
        metrics=foundation.metrics,
        logger=logger,
        refused=foundation.refused,
        clock=clock,
        max_body_bytes=settings.max_body_bytes,
    )
    listener = Listener(entrance.handle, server_limits(settings), tls=tls_context(settings))
    add_connection_gauge(foundation.metrics, listener)
    return Platform(
        foundation=foundation,
        entrance=entrance,
        listener=listener,
        rounds=Rounds(
            [
                Safekeeping(spool, foundation.database, logger=logger).look,
                pipeline.holds.cover,
                watch.look,
                foundation.prices.refresh,
                keeper.look_after,
                *([] if shared is None else shared.duties),
                Reminders(foundation.database, clock, foundation.catalog).remind,
                *_bookkeeping(foundation, station),
            ],
            pause=lambda: foundation.database.wait_configuration_changed(timeout_s=_ROUND_S),
            logger=logger,
        ),
        limit_keeper=keeper,
        sharing=shared,
        feed=feed,
        spool=spool,
        post=_post(foundation),
    )


def _bookkeeping(foundation: Foundation, station: Station) -> list[Duty]:
    """One of a platform's processes keeps its books; on one database several platforms may."""
    if station.share.index != 0:
        return []
    invoicing = Invoicing(foundation.database, foundation.clock)
    return [
        Bookkeeper(invoicing, foundation.clock, grace_s=foundation.settings.invoice_grace_s).look_after,
        MonthTurn(foundation.database, foundation.clock, foundation.review).look,
    ]


def lay_foundation(
    settings: Settings, *, announcer: Announcer, logger: logging.Logger, clock: Clock, station: Station
) -> Foundation:
    """Read the catalog and open the database. Starts nothing. Raises Misconfigured."""
    catalog = catalog_of(settings, utc_date(clock.wall_ns()))
    engines = [engine for pool in catalog.pools.values() for engine in pool.engines]
    if any(isinstance(engine, EmbeddedEngine) for engine in engines) and (lacking := missing()):
        raise Misconfigured("\n".join(lacking))
    metrics = Metrics()
    database = opened_database(settings, metrics, logger)
    tiers = SpendTiers.parse(
        thresholds_dollars=settings.spend_tier_thresholds_dollars, budgets_dollars=settings.spend_tier_budgets_dollars
    )
    spending = Spending(database, clock, writer=secrets.token_hex(8), tiers=tiers)
    key_ring, refused = KeyRing(database, clock), RefusedRequests()
    budgets = Budgets(spending, clock, new_purse=purses(settings, station, clock))
    review = AccountReview(database, clock, spending=spending, tiers=tiers)

    def siblings(about: str) -> Siblings:
        share = station.share
        return Siblings(settings.data_dir / "workers", about, index=share.index, count=share.count)

    return Foundation(
        settings=settings,
        clock=clock,
        logger=logger,
        metrics=metrics,
        shared_metrics=SharedMetrics(metrics, siblings("metrics"), index=station.share.index),
        shared_refusals=SharedRefusals(refused, siblings("refusals")),
        catalog=catalog,
        database=database,
        key_ring=key_ring,
        spending=spending,
        budgets=budgets,
        review=review,
        limiter=Limiter(
            clock, random=random.random, rules=limit_rules(settings), is_shared=is_shared(settings, station)
        ),
        ceilings=Ceilings(ceiling_rules(settings)),
        prices=PriceBook(catalog, database, clock),
        refused=refused,
        placements=Placements(),
        worker=station.share.index,
        fleet=Fleet(catalog.pools, fleet_parts(settings, catalog, announcer, clock, station)),
    )


async def _services(foundation: Foundation, meter: Meter, shared: Sharing | None) -> tuple[Pipeline, Counting]:
    """What serves requests: for answers, and for the length of prompts."""
    settings, clock, pools = foundation.settings, foundation.clock, foundation.fleet.pools
    await foundation.prices.refresh()
    policy = admission_policy(settings)
    speeds = {name: SpeedControl(target=target) for name, target in foundation.catalog.speed_targets().items()}
    gates = {name: Gate(pool, clock, policy=policy, speed=speeds.get(name)) for name, pool in pools.items()}
    add_gauges(foundation.metrics, foundation.fleet, gates)
    estimators = Estimators()
    router = Router(clock, slot_isolation=settings.slot_isolation, cache_tokens=settings.prompt_cache_tokens)
    add_routing_gauges(foundation.metrics, router)
    dispatch = Dispatch(
        pools=pools,
        gates=gates,
        router=router,
        estimators=estimators,
        meter=meter,
        placements=foundation.placements,
    )
    add_hedge_gauge(foundation.metrics, dispatch.hedging)
    parts = PipelineParts(
        catalog=foundation.catalog,
        pools=pools,
        limiter=foundation.limiter,
        lender=None if shared is None else shared.tokens,
        ceilings=foundation.ceilings,
        holds=Holds(foundation.budgets, None if shared is None else shared.money),
        estimators=estimators,
        dispatch=dispatch,
        meter=meter,
        prices=foundation.prices,
        observer=TellingObserver(foundation.metrics, foundation.logger),
        clock=clock,
    )
    counts = AsideLimits(clock, random=random.random, rules=limit_rules(settings))
    return Pipeline(parts), Counting(parts, counts)


def _sharing(foundation: Foundation, station: Station) -> Sharing | None:
    if not is_shared(foundation.settings, station):
        return None
    return sharing(
        foundation.settings,
        foundation.clock,
        database=foundation.database,
        limiter=foundation.limiter,
        budgets=foundation.budgets,
        spending=foundation.spending,
    )


async def _limit_keeper(foundation: Foundation, pipeline: Pipeline) -> LimitKeeper:
    keeper = LimitKeeper(
        foundation.database,
        foundation.limiter,
        foundation.clock,
        rules=limit_rules(foundation.settings),
        save_interval_s=foundation.settings.limit_save_interval_s,
        extend=pipeline.open_streams.extend_grants,
        logger=foundation.logger,
    )
    await keeper.open()
    return keeper


async def _meter(foundation: Foundation, share: Share, spool: Spool) -> Meter:
    """This worker's meter and journal. What a killed platform has left in journals, also in those of workers that are
    no more, and not charged is written down as cut."""
    database, clock, settings = foundation.database, foundation.clock, foundation.settings
    directory = settings.journal_directory
    journal = Journal.open(journal_file(directory, share.index))
    await keep_cut_requests(database, clock, journal.left)
    journal.forget_left()
    for orphan in orphans(directory, workers=share.count) if share.index == 0 else ():
        await keep_cut_requests(database, clock, Journal.open(orphan).left)
        orphan.unlink()
    spool_after_s = SPOOL_PATIENCE_S if settings.release_after is Release.DATABASE else 0.0
    return Meter(database, clock, journal, foundation.spending, spool, spool_after_s=spool_after_s)


def _post(foundation: Foundation) -> Post:
    settings, clock = foundation.settings, foundation.clock
    return Post(
        foundation.database,
        clock,
        mail=mail_server(settings),
        private_hosts=settings.webhook_private_hosts,
        interval_s=_ROUND_S,
        logger=foundation.logger,
    )


def _asgi_app(
    foundation: Foundation,
    keeper: LimitKeeper,
    watch: AccountWatch,
    *,
    is_draining: Callable[[], bool],
    can_keep: Callable[[], bool],
) -> Starlette:
    control = ControlParts(
        catalog=foundation.catalog,
        database=foundation.database,
        key_ring=foundation.key_ring,
        budgets=foundation.budgets,
        spending=foundation.spending,
        review=foundation.review,
        watch=watch,
        clock=foundation.clock,
        limits=Limits(limiter=foundation.limiter, ceilings=foundation.ceilings, keeper=keeper),
        billing=BillingParts(
            prices=foundation.prices,
            refused=foundation.shared_refusals,
            placements=foundation.placements,
            worker=foundation.worker,
        ),
        domain=foundation.settings.platform_domain,
    )
    models = ModelListParts(
        catalog=foundation.catalog,
        clock=foundation.clock,
        budgets=foundation.budgets,
        key_ring=foundation.key_ring,
        audit=AuditLog(foundation.database, foundation.clock),
    )
    return Starlette(
        routes=[
            *status_routes(foundation.fleet, foundation.shared_metrics, is_draining=is_draining, can_keep=can_keep),
            public_pricing_route(foundation.prices, foundation.catalog.gpu_hours, foundation.clock),
            *control_routes(control),
            *model_list_routes(models),
        ],
        exception_handlers=exception_handlers(),
    )
