"""Routing where there is more to do than is done at once, and where replicas are kept even."""

import msgspec
import pytest

from servery.simulation.clients import Clients
from servery.simulation.described.policy import Admission
from servery.simulation.described.reading import read_fleet
from servery.simulation.reports.summary import Spread, Summary, summary_of
from servery.simulation.simulation import Simulation
from servery.simulation.traces.request import Trace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic

FLEET = """
pools:
  shared:
    replicas: 4
    concurrency: 100000
    engine: {prefill_tokens_per_s: 8000, decode_tokens_per_s: 50, sequences: 100000, cache_tokens: 1000000}
paths:
  standard: {pool: shared, price: {input: "0.5", output: "1.5"}}
"""
TRAFFIC = Traffic(account_tokens=2_048, turns=3, new_tokens=1_500, answer_tokens=300, pause_s=20)


def replayed(routing: str, trace: Trace) -> tuple[Summary, Spread]:
    """Without a queue but the engines' own; and the times to the first token."""
    fleet = read_fleet(FLEET, source="fleet.yaml")
    policy = msgspec.structs.replace(fleet.policies[routing], admission=Admission.NONE)
    simulation = Simulation(fleet, policy, trace, clients=Clients(), seed=0)
    simulation.run()
    summary = summary_of(routing, simulation.tally, simulation.pools)
    assert summary.total.time_to_first_token_s is not None
    return summary, summary.total.time_to_first_token_s


@pytest.mark.parametrize("seed", [1, 2])
def test_a_busy_fleet_computes_little_twice(seed: int) -> None:
    """First tokens come sooner than with an oracle that looks at nothing but the request in hand, and than with the
    usual cache-aware policy; and what replicas compute stays even."""
    trace = SyntheticTrace(Kind.CHAT, requests=1_500, requests_per_s=9, accounts=60, seed=seed, traffic=TRAFFIC)
    ours, first = replayed("servery", trace)
    _, with_oracle = replayed("oracle", trace)
    _, cache_aware = replayed("cache_aware", trace)
    assert first.mean < 0.8 * with_oracle.mean
    assert first.mean < 0.95 * cache_aware.mean
    assert first.p99 < cache_aware.p99
    assert ours.balance["shared"] <= 1.1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_loud_account_keeps_all_replicas_even(seed: int) -> None:
    """Its prompts begin alike, and that beginning comes to lie at all replicas, though each of them alone would be
    answered sooner where it lies already. First tokens come no later than with an oracle. The fleet is idle for two
    thirds of the time, so that nobody flees from a queue."""
    traffic = Traffic(account_tokens=6_144, turns=4, new_tokens=600, pause_s=20.0, loudness=40)
    trace = SyntheticTrace(
        Kind.NOISY, requests=3_000, requests_per_s=15, accounts=40, seed=seed, traffic=traffic, begins_empty=True
    )
    ours, first = replayed("servery", trace)
    _, with_oracle = replayed("oracle", trace)
    assert ours.balance["shared"] <= 1.15
    assert first.mean < 1.05 * with_oracle.mean
