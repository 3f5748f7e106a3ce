"""What the pipeline is built with."""

from collections.abc import Mapping

from servery.billing.price_book import PriceBook
from servery.catalog.catalog import Catalog
from servery.core.clock import Clock
from servery.fleet.replica_pool import ReplicaPool
from servery.limits.ceilings import Ceilings
from servery.limits.estimate import Estimators
from servery.limits.lender import Lender
from servery.limits.limiter import Limiter
from servery.metering.meter import Meter
from servery.serving.dispatch import Dispatch
from servery.serving.holds import Holds
from servery.serving.observer import Observer


class PipelineParts:
    """What the pipeline is built with."""

    __slots__ = (
        "catalog",
        "ceilings",
        "clock",
        "dispatch",
        "estimators",
        "holds",
        "lender",
        "limiter",
        "meter",
        "observer",
        "pools",
        "prices",
    )

    def __init__(
        self,
        *,
        catalog: Catalog,
        pools: Mapping[str, ReplicaPool],
        limiter: Limiter,
        lender: Lender | None,
        ceilings: Ceilings,
        holds: Holds,
        estimators: Estimators,
        dispatch: Dispatch,
        meter: Meter,
        prices: PriceBook,
        observer: Observer,
        clock: Clock,
    ) -> None:
        self.catalog = catalog
        self.pools = pools
        self.limiter = limiter
        self.lender = lender
        self.ceilings = ceilings
        self.holds = holds
        self.estimators = estimators
        self.dispatch = dispatch
        self.meter = meter
        self.prices = prices
        self.observer = observer
        self.clock = clock
