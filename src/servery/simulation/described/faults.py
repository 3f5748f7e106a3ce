"""What goes wrong in a run, and when."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

Moment = Annotated[float, Meta(ge=0, le=1e9)]
Lasting = Annotated[float, Meta(gt=0, le=1e9)]


class FaultKind(StrEnum):
    """As written in a file."""

    DIES = "dies"
    SLOWS = "slows"
    LOSES_CACHE = "loses_cache"
    STALE_METRICS = "stale_metrics"
    CLOCK_JUMPS = "clock_jumps"


class _Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    at_s: Moment


class Dies(_Fault, frozen=True, kw_only=True, tag=FaultKind.DIES.value):
    """What ``replica`` has in hand breaks, its cache is gone, and for ``for_s`` it answers nothing. That it is down is
    seen after ``noticed_after_s``; until then what is sent there fails."""

    replica: str
    for_s: Lasting
    noticed_after_s: Annotated[float, Meta(ge=0, le=1e6)] = 2.0


class Slows(_Fault, frozen=True, kw_only=True, tag=FaultKind.SLOWS.value):
    """``replica`` works at ``factor`` of its speed for ``for_s``."""

    replica: str
    factor: Annotated[float, Meta(gt=0, le=100)]
    for_s: Lasting


class LosesCache(_Fault, frozen=True, kw_only=True, tag=FaultKind.LOSES_CACHE.value):
    """The engine of ``replica`` forgets all prompts, and goes on."""

    replica: str


class StaleMetrics(_Fault, frozen=True, kw_only=True, tag=FaultKind.STALE_METRICS.value):
    """``replica`` tells nothing new of its load for ``for_s``: what it told last is told again."""

    replica: str
    for_s: Lasting


class ClockJumps(_Fault, frozen=True, kw_only=True, tag=FaultKind.CLOCK_JUMPS.value):
    """The gateway's wall clock is set ahead by ``by_s``, or back where that is negative. Monotonic time goes on."""

    by_s: Annotated[float, Meta(ge=-1e9, le=1e9)]


Fault = Dies | Slows | LosesCache | StaleMetrics | ClockJumps

FAULTS: Final[Mapping[FaultKind, type[Fault]]] = {
    FaultKind.DIES: Dies,
    FaultKind.SLOWS: Slows,
    FaultKind.LOSES_CACHE: LosesCache,
    FaultKind.STALE_METRICS: StaleMetrics,
    FaultKind.CLOCK_JUMPS: ClockJumps,
}
