"""What is offered to which fleet in ``benchmarks.overload``, the same in the simulator, and what came of it."""

from collections.abc import Callable
from functools import partial

import msgspec

from benchmarks.policies.overload_bars import PRIORITY_SHARE, PriorityAlone
from benchmarks.policies.routing_bars import told
from servery.core.serving_path import ServingPath
from servery.simulation.clients import Clients, Retrying
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.described.reading import read_fleet
from servery.simulation.reports.summary import Row, Spread, Summary, summary_of
from servery.simulation.reports.text import aligned
from servery.simulation.simulation import Simulation
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Trace
from servery.simulation.traces.shaped import Shape, ShapedTrace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic

ENGINES, PLACES, QUEUE, PREFILL_PER_S, GAP_MS = 8, 32, 1_000, 4_000, 50
FRESH_S = 15.0
"""So long a fleet is filled, by whoever asks first, and then the queue."""
REQUESTS, REQUESTS_PER_S, ACCOUNTS, SEED = 4_500, 90.0, 10, 3
HEAD = ["", "", "Priority 503", "first token p50, s", "p99, s", "of unloaded p99", "Standard 503", "p99, s"]
HEAD += ["tokens/s", "of plain", "Jain, Standard"]
_TRAFFIC = Traffic(account_tokens=512, turns=1, new_tokens=300, answer_tokens=100)
_FLEET = f"""
pools:
  shared:
    replicas: {ENGINES}
    concurrency: {PLACES}
    queue: {QUEUE}
    wait_limit_s: 30
    engine:
      prefill_tokens_per_s: {PREFILL_PER_S}
      decode_tokens_per_s: {1000 // GAP_MS}
      sequences: 4096
      cache_tokens: 400000
paths:
  standard: {{pool: shared, price: {{input: "0.50", output: "1.50"}}}}
  priority: {{pool: shared, price: {{input: "0.75", output: "2.25"}}}}
"""


class Runs(msgspec.Struct, frozen=True):
    """Priority alone; all; all in one plain line; all, and who is refused calls again."""

    unloaded: Summary
    ours: Summary
    plain: Summary
    storm: Summary


def offered() -> Trace:
    """About twice what the places of the fleet are enough for."""
    trace = SyntheticTrace(
        Kind.NOISY, requests=REQUESTS, requests_per_s=REQUESTS_PER_S, accounts=ACCOUNTS, seed=SEED, traffic=_TRAFFIC
    )
    return ShapedTrace(trace, Shape(priority_share=PRIORITY_SHARE, seed=SEED))


def simulated(trace: Trace, *, again_after_s: float, retries: int) -> Runs:
    fleet = read_fleet(_FLEET, source="overload")
    return simulated_runs(partial(_simulated, fleet), trace, again_after_s=again_after_s, retries=retries)


def simulated_runs(
    simulated: Callable[[str, Trace, Clients], Summary], trace: Trace, *, again_after_s: float, retries: int
) -> Runs:
    """Each run as ``simulated`` makes it, of a policy, a trace and clients."""
    storm = Clients(retrying=Retrying.AT_ONCE, most_retries=retries, round_trip_s=again_after_s)
    return Runs(
        unloaded=simulated("servery", PriorityAlone(trace), Clients()),
        ours=simulated("servery", trace, Clients()),
        plain=simulated("fifo", trace, Clients()),
        storm=simulated("servery", trace, storm),
    )


def report(real: Runs, simulation: Runs) -> tuple[str, bool]:
    """A table of both, the bars of the real one below it, and whether these are met."""
    lines = [HEAD]
    for name in ("ours", "storm", "plain"):
        for kind, runs in (("real", real), ("simulated", simulation)):
            lines.append([name, kind, *_cells(getattr(runs, name), runs)])
    bars, met = bars_of(real)
    return f"{aligned(lines)}\n{bars}", met


def bars_of(real: Runs) -> tuple[str, bool]:
    """Each bar on a line; and whether all are met."""
    ours = real.ours
    refused, slower = _refused(ours, ServingPath.PRIORITY), _slower(real)
    good, stormy = (_goodput(run) / _goodput(real.plain) for run in (ours, real.storm))
    fair = ours.fairness[ServingPath.STANDARD]
    return told(
        [
            (f"Priority is never refused: {refused} were", refused == 0),
            (f"Priority's first token, p99, within 1.2 x its unloaded value: {slower:.2f} x", slower <= 1.2),
            (f"goodput at least 0.95 of the plain line's, which is always full: {good:.2f}", good >= 0.95),
            (f"fair to accounts, Jain at least 0.95: {fair:.3f} of Standard", fair >= 0.95),
            (f"goodput holds when {real.storm.retries:,} refused calls come again: {stormy:.2f}", stormy >= 0.95),
        ]
    )


def _cells(run: Summary, runs: Runs) -> list[str]:
    first, standard = _first(run.by_path[ServingPath.PRIORITY]), _first(run.by_path[ServingPath.STANDARD])
    calm = _first(runs.unloaded.by_path[ServingPath.PRIORITY])
    return [
        str(_refused(run, ServingPath.PRIORITY)),
        f"{first.p50:.3f}",
        f"{first.p99:.3f}",
        f"{first.p99 / calm.p99:.2f}",
        str(_refused(run, ServingPath.STANDARD)),
        f"{standard.p99:.2f}",
        f"{_goodput(run):,.0f}",
        f"{_goodput(run) / _goodput(runs.plain):.2f}",
        f"{run.fairness[ServingPath.STANDARD]:.3f}",
    ]


def _slower(runs: Runs) -> float:
    return _first(runs.ours.by_path[ServingPath.PRIORITY]).p99 / _first(runs.unloaded.by_path[ServingPath.PRIORITY]).p99


def _first(row: Row) -> Spread:
    assert row.time_to_first_token_s is not None, "some are served"
    return row.time_to_first_token_s


def _refused(run: Summary, path: ServingPath) -> int:
    row = run.by_path[path]
    return row.requests - row.endings.get(Ending.COMPLETED, 0)


def _goodput(run: Summary) -> float:
    return run.total.goodput_tokens_per_s


def _simulated(fleet: DescribedFleet, policy: str, trace: Trace, clients: Clients) -> Summary:
    simulation = Simulation(fleet, fleet.policies[policy], trace, clients=clients, seed=0)
    simulation.run(fresh_s=FRESH_S)
    simulation.check_integrity()
    return summary_of(policy, simulation.tally, simulation.pools)
