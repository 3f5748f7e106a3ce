"""Overload: twice what the fleet can do, a quarter of it Priority, one account ten times as loud as the others.

What the fleet can do is measured first: with the same traffic behind one plain queue that is never empty. Then the same
requests are offered at twice that rate, to the platform's own queue and to the plain one. Priority's unloaded times are
those of its own requests, at their own rate, with no others there.
"""

from collections.abc import Iterator

import msgspec

from benchmarks.policies.routing_bars import told
from servery.core.serving_path import ServingPath
from servery.simulation.clients import Clients, Retrying
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.described.reading import read_fleet
from servery.simulation.reports.summary import Row, Summary, summary_of
from servery.simulation.reports.text import text_of
from servery.simulation.simulation import Simulation
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request, Trace
from servery.simulation.traces.shaped import Shape, ShapedTrace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic

PRIORITY_SHARE = 0.25
_FLEET = """
pools:
  shared:
    replicas: 8
    concurrency: 64
    queue: 2000
    wait_limit_s: 30
    engine:
      prefill_tokens_per_s: 8000
      decode_tokens_per_s: 100
      decode_tokens_per_s_full: 30
      sequences: 64
      prefill_chunk_tokens: 2048
      cache_tokens: 1000000
      kv_tokens: 1000000
      honours_priorities: true
paths:
  standard: {pool: shared, price: {input: "0.50", output: "1.50"}}
  priority: {pool: shared, price: {input: "0.75", output: "2.25"}}
"""
_TRAFFIC = Traffic(account_tokens=1_024, turns=1, new_tokens=1_000, answer_tokens=200)
_ACCOUNTS = 10
_TOO_MANY_PER_S = 100.0
_FRESH_S = 15.0
"""So long the fleet is filled, by whoever asks first, and then the queue."""
_SHED = (Ending.SHED_CAPACITY, Ending.SHED_PREDICTED_WAIT, Ending.DISPLACED, Ending.EXPIRED)


class Overload(msgspec.Struct, frozen=True):
    """What was measured. ``capacity_per_s`` is in requests, as is the goodput of each run."""

    capacity_per_s: float
    capacity_tokens_per_s: float
    unloaded: Summary
    ours: Summary
    plain: Summary
    storm: Summary


class PriorityAlone:
    """The Priority requests of a trace, as if nobody else asked for anything."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.block_tokens = trace.block_tokens

    def requests(self) -> Iterator[Request]:
        return (one for one in self._trace.requests() if one.path is ServingPath.PRIORITY)


def measured(*, quick: bool) -> Overload:
    """Runs of some 100,000 requests in all, or 20,000."""
    fleet = read_fleet(_FLEET, source="overload")
    requests = 5_000 if quick else 25_000
    full = _run(fleet, "fifo", _offered(_TOO_MANY_PER_S, requests=2 * requests))
    tokens_per_request = (full.total.prompt_tokens + full.total.generated_tokens) / full.total.endings[Ending.COMPLETED]
    capacity_per_s = full.total.goodput_tokens_per_s / tokens_per_request
    twice = _offered(2 * capacity_per_s, requests=requests)
    return Overload(
        capacity_per_s=capacity_per_s,
        capacity_tokens_per_s=full.total.goodput_tokens_per_s,
        unloaded=_run(fleet, "servery", PriorityAlone(twice)),
        ours=_run(fleet, "servery", twice),
        plain=_run(fleet, "fifo", twice),
        storm=_run(fleet, "servery", twice, Clients(retrying=Retrying.AT_ONCE, most_retries=100, round_trip_s=0.2)),
    )


def overload_report(found: Overload) -> tuple[str, bool]:
    ours = found.ours
    text = f"overload: {found.capacity_per_s:.1f} requests/s are all that the fleet can do; offered are twice as many\n"
    text += text_of([ours, found.plain])
    priority, calm = ours.by_path[ServingPath.PRIORITY], found.unloaded.by_path[ServingPath.PRIORITY]
    refused = sum(priority.endings.get(ending, 0) for ending in _SHED)
    slower = _p99(priority) / _p99(calm)
    goodput = ours.total.goodput_tokens_per_s / found.capacity_tokens_per_s
    stormy = found.storm.total.goodput_tokens_per_s / found.capacity_tokens_per_s
    fair = ours.fairness[ServingPath.STANDARD]
    bars, met = told(
        [
            (f"Priority is never refused: {refused} of {priority.requests} were", refused == 0),
            (f"Priority's first token, p99, within 1.2 x its unloaded value: {slower:.2f} x", slower <= 1.2),
            (f"goodput at least 0.95 of what the fleet can do: {goodput:.2f}", goodput >= 0.95),
            (f"fair to accounts, Jain at least 0.95: {fair:.3f} of Standard", fair >= 0.95),
            (f"goodput holds in a retry storm ({found.storm.retries:,} calls again): {stormy:.2f}", stormy >= 0.95),
        ]
    )
    return f"{text}\n{bars}", met


def _offered(requests_per_s: float, *, requests: int) -> Trace:
    trace = SyntheticTrace(
        Kind.NOISY, requests=requests, requests_per_s=requests_per_s, accounts=_ACCOUNTS, seed=3, traffic=_TRAFFIC
    )
    return ShapedTrace(trace, Shape(priority_share=PRIORITY_SHARE, seed=3))


def _run(fleet: DescribedFleet, policy: str, trace: Trace, clients: Clients | None = None) -> Summary:
    simulation = Simulation(fleet, fleet.policies[policy], trace, clients=clients or Clients(), seed=0)
    simulation.run(fresh_s=_FRESH_S)
    simulation.check_integrity()
    return summary_of(policy, simulation.tally, simulation.pools)


def _p99(row: Row) -> float:
    assert row.time_to_first_token_s is not None, "some are served"
    return row.time_to_first_token_s.p99
