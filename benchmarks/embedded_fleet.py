"""What ``benchmarks.overload_embedded`` is made of, as the simulator is told of it; and what can be had of it."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from math import log

import msgspec

from benchmarks.overload_scenario import FRESH_S, Runs, simulated_runs
from benchmarks.policies.overload_bars import PRIORITY_SHARE
from servery.admission.crowding import MOST_SHARE, places_left, spared
from servery.admission.service_rate import places_kept
from servery.core.serving_path import ServingPath
from servery.simulation.clients import Clients
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.described.reading import read_fleet
from servery.simulation.reports.summary import Summary, summary_of
from servery.simulation.simulation import Simulation
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request, Trace
from servery.simulation.traces.shaped import Shape, ShapedTrace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic

ENGINES, PLACES, QUEUE, CONTEXT = 2, 8, 400, 1_024
LOSS = 0.05
"""How much of what it could serve a pool loses for the places that it keeps free, at most."""
_TRAFFIC = Traffic(turns=1, new_tokens=100, answer_tokens=120)
_CALM_PER_S, _CALM_S, _PAUSE_S = 3.0, 15.0, 20.0
_HALVINGS = 12
_P99 = 0.01
_FLEET = """
pools:
  demo:
    replicas: {engines}
    concurrency: {places}
    queue: {queue}
    wait_limit_s: 60
    engine:
      prefill_tokens_per_s: {prefill}
      decode_tokens_per_s: {alone}
      decode_tokens_per_s_full: {full}
      sequences: {places}
      whole_prompts: true
      cache_tokens: {cache}
paths:
  standard: {{pool: demo, price: {{input: "0.50", cached_input: "0.25", output: "1.50"}}}}
  priority: {{pool: demo, price: {{input: "0.75", cached_input: "0.375", output: "2.25"}}}}
"""


class Speeds(msgspec.Struct, frozen=True):
    """Tokens per second of one engine: prompts, a stream alone, and each of as many streams as there are places."""

    prefill: float
    alone: float
    full: float

    @property
    def crowding(self) -> float:
        """``Crowding.share`` of such engines."""
        more_s = (1.0 / self.full - 1.0 / self.alone) / (PLACES - 1)
        return min(MOST_SHARE, PLACES * more_s * self.full)


class _After:
    """``first``, and ``then`` some time later."""

    def __init__(self, first: Trace, then: Trace, *, at_s: float) -> None:
        self.block_tokens = then.block_tokens
        self._first = first
        self._then = then
        self._at_s = at_s

    def requests(self) -> Iterator[Request]:
        later = (msgspec.structs.replace(one, arrives_s=one.arrives_s + self._at_s) for one in self._then.requests())
        return chain(self._first.requests(), later)


def offered(per_s: float, *, seconds: float, seed: int = 3) -> Trace:
    trace = SyntheticTrace(
        Kind.NOISY, requests=round(per_s * seconds), requests_per_s=per_s, accounts=10, seed=seed, traffic=_TRAFFIC
    )
    return ShapedTrace(trace, Shape(priority_share=PRIORITY_SHARE, seed=seed))


def calm() -> Trace:
    """What a pool has seen before it is overloaded."""
    return offered(_CALM_PER_S, seconds=_CALM_S, seed=4)


def measured_speeds(calmly: Summary, full: Summary, filling: Trace) -> Speeds:
    """As the runs of ``calm`` and of ``filling``, which was more than could be served, have shown them: the last of the
    three is that with which the simulated fleet serves as many requests in as much time."""
    total, served_per_s = calmly.total, full.total.endings[Ending.COMPLETED] / full.duration_s
    assert total.time_to_first_token_s is not None, "some are served"
    assert total.stream_tokens_per_s is not None, "and have several tokens"
    prefill = total.prompt_tokens / total.requests / total.time_to_first_token_s.mean
    alone = quick = total.stream_tokens_per_s.p50
    slow = min(quick, full.total.generated_tokens / full.duration_s / (ENGINES * PLACES))
    for _ in range(_HALVINGS):
        middle = (slow + quick) / 2
        again = _simulated(described(Speeds(prefill, alone, middle)), "fifo", filling, Clients())
        if again.total.endings[Ending.COMPLETED] / again.duration_s < served_per_s:
            slow = middle
        else:
            quick = middle
    return Speeds(prefill, alone, slow)


def described(speeds: Speeds) -> DescribedFleet:
    text = _FLEET.format(
        engines=ENGINES,
        places=PLACES,
        queue=QUEUE,
        prefill=speeds.prefill,
        alone=speeds.alone,
        full=speeds.full,
        cache=PLACES * CONTEXT,
    )
    return read_fleet(text, source="embedded engines")


def simulated(fleet: DescribedFleet, trace: Trace, *, again_after_s: float, retries: int) -> Runs:
    """As on the real ones: after a calm time."""
    return simulated_runs(partial(_simulated, fleet), trace, again_after_s=again_after_s, retries=retries)


def attainable(speeds: Speeds, runs: Runs, *, per_s: float) -> str:
    """How much longer than unloaded Priority's p99 is by the formula of docs/admission.md, at so many requests served
    a second."""
    served = {path: row.endings[Ending.COMPLETED] for path, row in runs.ours.by_path.items()}
    share = served[ServingPath.PRIORITY] / sum(served.values())
    unloaded = runs.unloaded.by_path[ServingPath.PRIORITY].time_to_first_token_s
    assert unloaded is not None, "some are served"
    places, told = ENGINES * PLACES, []
    for crowding in (0.0, speeds.crowding):
        needed = places_kept(share, most=places // 2, idle=places * spared(crowding, loss=LOSS))
        kept = places_left(needed, places=places, crowding=crowding)
        wait_s = max(0.0, log(share**kept / _P99)) / (per_s * (1.0 - share))
        told.append(f"with {kept} places kept free {1.0 + wait_s / unloaded.p99:.2f} x can be had")
    return (
        f"Of {places} places, {share:.2f} of what is served Priority: {told[0]}, if streams were as fast as they can \
whoever else is there; {told[1]}, as these slow each other down ({speeds.crowding:.2f})"
    )


def _simulated(fleet: DescribedFleet, policy: str, trace: Trace, clients: Clients) -> Summary:
    from_s = _CALM_S + _PAUSE_S
    simulation = Simulation(fleet, fleet.policies[policy], _After(calm(), trace, at_s=from_s), clients=clients, seed=0)
    simulation.run(counted_from_s=from_s, fresh_s=FRESH_S)
    simulation.check_integrity()
    return summary_of(policy, simulation.tally, simulation.pools)
