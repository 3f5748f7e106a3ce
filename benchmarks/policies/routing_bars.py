"""Routing: times to the first token, balance and predictions of each policy on each trace.

The fleet is that of the yardstick: engines that compute 8,000 prompt tokens a second, one prompt after another, with
streams that cost nothing, no limits, and no queue but theirs. So only routing differs.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from statistics import fmean

import msgspec

from benchmarks.policies.measured_policy import MeasuredPolicy, against
from benchmarks.policies.workloads import Workload, workloads
from servery.simulation.clients import Clients
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.described.policy import Admission, CacheAware, Policy, Routing
from servery.simulation.described.reading import read_fleet
from servery.simulation.reports.summary import Summary, summary_of
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
    """Traces of one kind at some rate, each against so many replicas with caches of some size. ``speeds`` are factors
    of their speed, in turns."""

    name: str
    traces: tuple[Trace, ...]
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


def courses(files: list[Path], *, quick: bool, draws: int) -> list[Course]:
    """The traces given; a file with "synthetic" in its name at 0.7 of its rate with caches twice as large, as in the
    yardstick. Without any, made-up ones, of each kind so many."""
    if not files:
        if quick:
            return [_made_up(one, 2_000, 1) for one in workloads()[:4]]
        return [_made_up(one, one.requests, draws) for one in workloads()]
    found = []
    for file in files:
        slower = "synthetic" in file.name
        shape = Shape(rate=0.7 if slower else 1.0, most_requests=2_000 if quick else None)
        trace = ShapedTrace(trace_from_file(file), shape)
        found.append(Course(file.stem, (trace,), 2_048_000 if slower else 1_024_000))
    return found


def _made_up(workload: Workload, requests: int, draws: int) -> Course:
    return Course(
        workload.name,
        tuple([workload.trace(requests=requests, draw=draw) for draw in range(draws)]),
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


def routing_report(found: list[Course], runner: Executor | None = None) -> Iterator[tuple[str, bool]]:
    """For each course a table, with the bars below it; and whether all of them are met. A course of several traces is
    told by the means over them. ``runner`` runs several simulations at once."""
    for course in found:
        fleet, policies = course.fleet, routing_policies(course.cache_tokens)
        runs = [(fleet, policy, trace) for policy in policies for trace in course.traces]
        summaries = iter((map if runner is None else runner.map)(_run, runs))
        measured = [MeasuredPolicy.of([next(summaries) for _ in course.traces]) for _ in policies]
        lines = [["policy", "cached", "first token mean, s", "p99, s", "balance", "index error"]]
        lines += [_line(one) for one in measured]
        bars, met = _bars({one.name: one for one in measured})
        drawn = f", {len(course.traces)} draws" if len(course.traces) > 1 else ""
        yield f"{course.name}{drawn}\n{aligned(lines)}{bars}", met


def _run(run: tuple[DescribedFleet, Policy, Trace]) -> Summary:
    """One policy on one trace."""
    fleet, policy, trace = run
    simulation = Simulation(fleet, policy, trace, clients=Clients(), seed=0)
    simulation.run()
    simulation.check_integrity()
    return summary_of(policy.name, simulation.tally, simulation.pools)


def _line(one: MeasuredPolicy) -> list[str]:
    error = "-" if one.index_error is None else f"{100 * fmean(one.index_error):.2f} %"
    times = [f"{fmean(one.mean_s):.3f}", f"{fmean(one.p99_s):.2f}"]
    return [one.name, f"{fmean(one.cached):.3f}", *times, f"{fmean(one.balance):.2f}", error]


def _bars(measured: dict[str, MeasuredPolicy]) -> tuple[str, bool]:
    ours, oracle = measured.pop("servery"), measured.pop("oracle")
    near = fmean(ours.mean_s) <= NEAR_THE_ORACLE * fmean(oracle.mean_s)
    balance = fmean(ours.balance)
    error = fmean(ours.index_error) if ours.index_error else 0.0
    return told(
        [
            (f"mean within 5 % of the oracle's: {against(ours.mean_s, oracle.mean_s)} of it", near),
            _better("mean", ours.mean_s, {one.name: one.mean_s for one in measured.values()}),
            _better("p99", ours.p99_s, {one.name: one.p99_s for one in measured.values()}),
            (f"balanced, max/mean at most {BALANCED}: {balance:.2f}", balance <= BALANCED),
            (f"index error at most 5 %: {100 * error:.2f} %", error <= INDEX_ERROR),
        ]
    )


def _better(what: str, ours: list[float], others: dict[str, list[float]]) -> tuple[str, bool]:
    best = min(others, key=lambda name: fmean(others[name]))
    return f"{what} better than all others': {against(ours, others[best])} of {best}", fmean(ours) < fmean(others[best])


def told(bars: list[tuple[str, bool]]) -> tuple[str, bool]:
    """Each bar on a line, met or not; and whether all are."""
    lines = [f"  {'met   ' if met else 'MISSED'}  {text}" for text, met in bars]
    return "\n".join(lines) + "\n", all(met for _, met in bars)
