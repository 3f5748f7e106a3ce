"""Routing: times to the first token, balance and predictions of each policy on each trace.

The fleet is that of the yardstick: engines that compute 8,000 prompt tokens a second, one prompt after another, with
streams that cost nothing, no limits, and no queue but theirs. So only routing differs.
"""

from pathlib import Path

import msgspec

from benchmarks.policies.workloads import Workload, workloads
from servery.simulation.clients import Clients
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.described.policy import Admission, CacheAware, Policy, Routing
from servery.simulation.described.reading import read_fleet
from servery.simulation.reports.summary import Spread, Summary, summary_of
from servery.simulation.reports.text import aligned
from servery.simulation.simulation import Simulation
from servery.simulation.traces.request import Trace
from servery.simulation.traces.shaped import Shape, ShapedTrace
from servery.simulation.traces.trace_file import trace_from_file

NEAR_THE_ORACLE = 1.05
BALANCED = 1.15
INDEX_ERROR = 0.05
_REPLICAS = 8
_FLEET = """
pools:
  shared:
    replicas: {replicas}
    concurrency: 1000000
    engine:
      prefill_tokens_per_s: 8000
      decode_tokens_per_s: 50
      sequences: 1000000
      cache_tokens: {cache_tokens}
paths:
  standard: {{pool: shared, price: {{input: "0.5", output: "1.5"}}}}
faults:{faults}
"""
_SLOWS = """
  - {{kind: slows, replica: shared/{number}, at_s: 0, for_s: 1000000000, factor: {factor}}}"""


class Course(msgspec.Struct, frozen=True):
    """A trace at some rate, against so many replicas with caches of some size. ``speeds`` are factors of their speed,
    in turns."""

    name: str
    trace: Trace
    cache_tokens: int
    replicas: int = _REPLICAS
    speeds: tuple[float, ...] = (1.0,)

    @property
    def fleet(self) -> DescribedFleet:
        factors = [self.speeds[number % len(self.speeds)] for number in range(self.replicas)]
        slow = [_SLOWS.format(number=number, factor=one) for number, one in enumerate(factors) if one != 1.0]
        faults = "".join(slow) or " []"
        text = _FLEET.format(replicas=self.replicas, cache_tokens=self.cache_tokens, faults=faults)
        return read_fleet(text, source="yardstick")


def courses(files: list[Path], *, quick: bool) -> list[Course]:
    """The traces given; a file with "synthetic" in its name at 0.7 of its rate with caches twice as large, as in the
    yardstick. Without any, made-up ones."""
    if not files:
        return [_made_up(one, requests=2_000 if quick else None) for one in (workloads()[:4] if quick else workloads())]
    found = []
    for file in files:
        slower = "synthetic" in file.name
        shape = Shape(rate=0.7 if slower else 1.0, most_requests=2_000 if quick else None)
        found.append(Course(file.stem, ShapedTrace(trace_from_file(file), shape), 2_048_000 if slower else 1_024_000))
    return found


def _made_up(workload: Workload, *, requests: int | None) -> Course:
    return Course(
        workload.name,
        workload.trace(requests=requests or workload.requests),
        workload.cache_tokens,
        replicas=workload.replicas,
        speeds=workload.speeds,
    )


def routing_policies(cache_tokens: int) -> list[Policy]:
    """All ways to route, "cache aware" twice: as published, and with trees as small as the caches and the threshold of
    earlier versions, which is what the yardstick's row shows."""
    policies = [
        Policy(name=routing.value.replace("_", " "), routing=routing, admission=Admission.NONE, limits=False)
        for routing in Routing
    ]
    small = CacheAware(balance_abs_threshold=32, tree_tokens=cache_tokens, cut_every_s=0.0)
    aware = Policy(
        name="cache aware, small trees",
        routing=Routing.CACHE_AWARE,
        cache_aware=small,
        admission=Admission.NONE,
        limits=False,
    )
    return [*policies, aware]


def routing_report(found: list[Course]) -> tuple[str, bool]:
    """A table for each course, with the bars below it; and whether all bars are met."""
    parts, all_met = [], True
    for course in found:
        fleet = course.fleet
        summaries = {}
        for policy in routing_policies(course.cache_tokens):
            simulation = Simulation(fleet, policy, course.trace, clients=Clients(), seed=0)
            simulation.run()
            simulation.check_integrity()
            summaries[policy.name] = summary_of(policy.name, simulation.tally, simulation.pools)
        lines = [["policy", "cached", "first token mean, s", "p99, s", "balance", "index error"]]
        lines += [_line(summary) for summary in summaries.values()]
        bars, met = _bars(summaries)
        all_met = all_met and met
        parts.append(f"{course.name}\n{aligned(lines)}{bars}")
    return "\n".join(parts), all_met


def _line(summary: Summary) -> list[str]:
    first = summary.total.time_to_first_token_s
    assert first is not None, "every request of the yardstick is served"
    error = "-" if summary.index_error is None else f"{100 * summary.index_error:.2f} %"
    hit = f"{summary.total.hit_rate:.3f}"
    return [summary.policy, hit, f"{first.mean:.3f}", f"{first.p99:.2f}", f"{summary.balance['shared']:.2f}", error]


def _bars(summaries: dict[str, Summary]) -> tuple[str, bool]:
    firsts = {name: one.total.time_to_first_token_s for name, one in summaries.items()}
    ours, oracle = firsts.pop("servery"), firsts.pop("oracle")
    assert ours is not None, "every request is served"
    assert oracle is not None, "every request is served"
    others = [one for one in firsts.values() if one is not None]
    ratio = ours.mean / oracle.mean
    balance, error = summaries["servery"].balance["shared"], summaries["servery"].index_error or 0.0
    return told(
        [
            (f"mean within 5 % of the oracle's: {ratio:.3f} of it", ratio <= NEAR_THE_ORACLE),
            ("better than all others in mean and p99", all(_better(ours, one) for one in others)),
            (f"balanced, max/mean at most {BALANCED}: {balance:.2f}", balance <= BALANCED),
            (f"index error at most 5 %: {100 * error:.2f} %", error <= INDEX_ERROR),
        ]
    )


def _better(ours: Spread, other: Spread) -> bool:
    return ours.mean < other.mean and ours.p99 < other.p99


def told(bars: list[tuple[str, bool]]) -> tuple[str, bool]:
    """Each bar on a line, met or not; and whether all are."""
    lines = [f"  {'met   ' if met else 'MISSED'}  {text}" for text, met in bars]
    return "\n".join(lines) + "\n", all(met for _, met in bars)
