"""GPU time: from a replica that was up to what it costs (money.md, rule 10). Pure.

A run is one replica from start to end. It is billed by the second, in whole seconds since its start, and posted in
intervals that depend on nothing but the run, so that whoever posts them, and however often, posts the same:

    run        |----------------------------------------|        started, ended (or still up)
    intervals  |0-60   |60-120 |120-180|180-240 |240-255|         the last one only once the run has ended

What an interval costs is the cost of the run until its end less the cost until its start, each rounded once (half to
even) to nano-dollars. So the intervals of a run sum to the rounded price of all its seconds, however it was cut.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from servery.core.money import divided_half_even

INTERVAL_S: Final = 60
_SECONDS_PER_HOUR: Final = 3_600
_NANODOLLARS_PER_MICRODOLLAR: Final = 1_000
_NS_PER_S: Final = 1_000_000_000


class GpuRun(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of a deployment, from ``started_ns`` on, with ``accelerators`` (>= 1) of one type."""

    id: str
    account: str
    deployment: str
    accelerator_type: str
    accelerators: int
    started_ns: int

    def __post_init__(self) -> None:
        assert self.accelerators >= 1, "a replica runs on something"


class GpuInterval(msgspec.Struct, frozen=True):
    """Seconds of a run since its start: from ``from_s`` until just before ``until_s``."""

    from_s: int
    until_s: int

    def __post_init__(self) -> None:
        assert 0 <= self.from_s < self.until_s, "an interval has seconds"


def due_intervals(run: GpuRun, *, posted_s: int, now_ns: int, has_ended: bool) -> Iterator[GpuInterval]:
    """What is to be posted of a run at ``now_ns`` (its end, once it ``has_ended``) when its first ``posted_s`` seconds
    have been. A fraction of a second at the end is not billed; a clock that was set back owes nothing."""
    up_s = max(0, now_ns - run.started_ns) // _NS_PER_S
    while posted_s < up_s:
        until_s = (posted_s // INTERVAL_S + 1) * INTERVAL_S
        if until_s > up_s:
            if not has_ended:
                return
            until_s = up_s
        yield GpuInterval(posted_s, until_s)
        posted_s = until_s


def gpu_charge_nanodollars(interval: GpuInterval, *, accelerators: int, microdollars_per_hour: int) -> int:
    """What the interval costs at a price for an hour of one accelerator."""

    def until(seconds: int) -> int:
        nanodollars = seconds * accelerators * microdollars_per_hour * _NANODOLLARS_PER_MICRODOLLAR
        return divided_half_even(nanodollars, _SECONDS_PER_HOUR)

    return until(interval.until_s) - until(interval.from_s)
