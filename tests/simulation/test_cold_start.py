"""Twice what a fleet can do, from its first second on, when nothing has been served yet."""

import pytest
from tests.simulation.fleets import read_fleet, run

from servery.core.serving_path import ServingPath
from servery.simulation.tally import Ending
from servery.simulation.traces.shaped import Shape, ShapedTrace
from servery.simulation.traces.synthetic import Kind, SyntheticTrace, Traffic

FLEET = """
pools:
  shared:
    replicas: 4
    concurrency: 32
    queue: 1000
    engine:
      prefill_tokens_per_s: 4000
      decode_tokens_per_s: 20
      sequences: 4096
      cache_tokens: 400000
paths:
  standard: {pool: shared, price: {input: "0.50", output: "1.50"}}
  priority: {pool: shared, price: {input: "0.75", output: "2.25"}}
"""
TRAFFIC = Traffic(account_tokens=512, turns=1, new_tokens=300, answer_tokens=100)


@pytest.mark.parametrize("accounts", [10, 100])
def test_standard_keeps_near_its_budget_from_the_start(accounts: int) -> None:
    """Which is ten seconds: nine in ten are within it, and few far beyond. Among ten accounts or a
    hundred, one of which asks for ten times as much as each other."""
    trace = SyntheticTrace(Kind.NOISY, requests=1_500, requests_per_s=45.0, accounts=accounts, seed=4, traffic=TRAFFIC)
    simulation = run(
        read_fleet(FLEET, source="fleet.yaml"), "servery", ShapedTrace(trace, Shape(priority_share=0.25, seed=4))
    )
    groups = simulation.tally.groups
    waits = sorted(wait for (_, path), one in groups.items() if path is ServingPath.STANDARD for wait in one.first_s)
    assert len(waits) > 400, "and it is served"
    assert waits[int(0.9 * len(waits))] < 10.0
    assert waits[int(0.99 * len(waits))] < 18.0
    priority = [one for (_, path), one in groups.items() if path is ServingPath.PRIORITY]
    assert all(one.endings[Ending.COMPLETED] == one.requests for one in priority)
