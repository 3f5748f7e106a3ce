"""Fleets and runs for tests."""

from servery.simulation.clients import Clients
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.described.reading import read_fleet
from servery.simulation.simulation import Simulation
from servery.simulation.traces.request import Trace
from servery.simulation.traces.shaped import Shape, ShapedTrace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace

FLEET = """
pools:
  shared:
    replicas: 4
    concurrency: 16
    queue: 200
    engine:
      prefill_tokens_per_s: 8000
      decode_tokens_per_s: 100
      decode_tokens_per_s_full: 40
      sequences: 16
      prefill_chunk_tokens: 2048
      cache_tokens: 400000
      kv_tokens: 400000
paths:
  standard: {pool: shared, price: {input: "0.5", output: "1.5"}}
  priority: {pool: shared, price: {input: "0.75", output: "2.25"}}
policies:
  round_robin_fifo: {routing: round_robin, admission: fifo, limits: false}
  bare: {routing: oracle, admission: none, limits: false}
"""
LIMITS = """
limits:
  ceilings: {prompt: 60000, uncached_prompt: 60000, generated: 60000}
  start: {prompt: 60000, uncached_prompt: 60000, generated: 60000}
"""
FAULTS = """
faults:
  - {kind: dies, replica: shared/0, at_s: 5, for_s: 10}
  - {kind: slows, replica: shared/1, at_s: 8, for_s: 10, factor: 0.2}
  - {kind: loses_cache, replica: shared/2, at_s: 12}
  - {kind: stale_metrics, replica: shared/3, at_s: 2, for_s: 20}
  - {kind: clock_jumps, at_s: 10, by_s: -3600}
"""


def described(*more: str) -> DescribedFleet:
    return read_fleet(FLEET + "".join(more), source="fleet.yaml")


def traffic(
    kind: Kind, *, requests: int = 1_500, requests_per_s: float = 20.0, seed: int = 0, **shape: object
) -> Trace:
    trace = SyntheticTrace(kind, requests=requests, requests_per_s=requests_per_s, accounts=5, seed=seed)
    return ShapedTrace(trace, Shape(seed=seed, **shape))


def run(
    fleet: DescribedFleet, policy: str, trace: Trace, *, clients: Clients | None = None, seed: int = 0
) -> Simulation:
    """A whole run, whose books hold."""
    simulation = Simulation(fleet, fleet.policies[policy], trace, clients=clients or Clients(), seed=seed)
    simulation.run()
    simulation.check_integrity()
    return simulation


def with_fast_and_batch(*, target: float = 100.0, rows_at_once: int = 32) -> str:
    """The fleet, two engines beside it that are fast enough for a third of their places, and batch jobs."""
    return FLEET.replace(
        "paths:\n",
        """  fast:
    replicas: 2
    concurrency: 24
    queue: 200
    engine:
      prefill_tokens_per_s: 20000
      decode_tokens_per_s: 200
      decode_tokens_per_s_full: 50
      sequences: 24
      cache_tokens: 400000
paths:
""",
    ).replace(
        "policies:\n",
        f"""  fast: {{pool: fast, target_tokens_per_second: {target}, price: {{input: "1", output: "3"}}}}
  batch: {{pool: shared, rows_at_once: {rows_at_once}, price: {{input: "0.25", output: "0.75"}}}}
policies:
""",
    )
