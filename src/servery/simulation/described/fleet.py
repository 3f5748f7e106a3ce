"""The fleet that a run is made with, as it was described."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from servery.admission.policy import AdmissionPolicy
from servery.catalog.price_row import PriceRow
from servery.core.serving_path import ServingPath
from servery.simulation.described.faults import Fault
from servery.simulation.described.limits import DescribedLimits
from servery.simulation.described.policy import Policy
from servery.simulation.engines.engine_rates import EngineRates

_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Wait = Annotated[float, Meta(gt=0, le=86_400)]


class DescribedPool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``concurrency`` is requests in flight per replica, ``queue`` requests that wait for the whole pool, for at most
    ``wait_limit_s``, all as in a catalog. The engines tell their load every ``report_interval_s``, and it arrives
    ``report_delay_s`` later."""

    name: str
    engine: EngineRates
    replicas: Annotated[int, Meta(ge=1, le=4096)] = 1
    concurrency: _Count = 64
    queue: Annotated[int, Meta(ge=0, le=1_000_000)] = 1_000
    wait_limit_s: _Wait = 60.0
    report_interval_s: _Wait = 2.0
    report_delay_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.05


class DescribedPath(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who serves a serving path, and for how much. ``model`` is what clients ask for, to be shown in reports.

    ``target_tokens_per_second`` is Fast's: what each stream is promised where no other path has its pool, as in a
    catalog. ``rows_at_once`` is Batch's: so many rows of all jobs are handed to the pool at most, the others wait where
    batch jobs wait.
    """

    name: ServingPath
    pool: str
    price: PriceRow
    model: str | None = None
    target_tokens_per_second: Annotated[float, Meta(gt=0, le=1_000_000)] = 100.0
    rows_at_once: _Count = 64


class DescribedTraffic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which shares of a trace's requests become Priority, Fast and Batch; the rest is Standard. With none of them a
    trace's own paths stay."""

    priority: _Share = 0.0
    fast: _Share = 0.0
    batch: _Share = 0.0

    def __post_init__(self) -> None:
        if self.priority + self.fast + self.batch > 1.0:
            raise ValueError("the shares of priority, fast and batch are more than all")


class DescribedFleet(msgspec.Struct, frozen=True, kw_only=True):
    """Without ``limits`` accounts have none. ``admission`` are the numbers of the platform's own queues."""

    pools: Mapping[str, DescribedPool]
    paths: Mapping[ServingPath, DescribedPath]
    policies: Mapping[str, Policy]
    limits: DescribedLimits | None = None
    traffic: DescribedTraffic = DescribedTraffic()
    admission: AdmissionPolicy = AdmissionPolicy()
    faults: tuple[Fault, ...] = ()

    def speed_targets(self) -> dict[str, float]:
        """Tokens per second that each stream is promised, by pool: as a catalog's."""
        fast = self.paths.get(ServingPath.FAST)
        if fast is None or any(path.pool == fast.pool for path in self.paths.values() if path is not fast):
            return {}
        return {fast.pool: fast.target_tokens_per_second}
