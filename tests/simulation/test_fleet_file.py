"""Fleet files are read as strictly as catalogs."""

from pathlib import Path

import pytest
from tests.simulation.fleets import FAULTS, FLEET, LIMITS

from servery.core.misconfigured import Misconfigured
from servery.simulation.described.reading import fleet_from_file, read_fleet

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet.yaml"


def faults(text: str) -> list[str]:
    with pytest.raises(Misconfigured) as raised:
        read_fleet(text, source="fleet.yaml")
    return str(raised.value).splitlines()


def test_the_example_is_good() -> None:
    """And has what its own policies and paths need."""
    fleet = fleet_from_file(EXAMPLE)
    assert len(fleet.paths) == 3
    assert {"servery", "fifo", "plain", "oracle"} <= fleet.policies.keys()


def test_all_sections_are_read() -> None:
    """Limits, faults and the queue's numbers too."""
    fleet = read_fleet(FLEET + LIMITS + FAULTS + "admission: {standard_budget_s: 3}\n", source="fleet.yaml")
    assert fleet.limits is not None
    assert fleet.limits.ceilings.prompt_tokens_per_minute == 60_000
    assert len(fleet.faults) == 5
    assert fleet.admission.standard_budget_s == 3.0


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        ("replicas: 4", "replicas: four", "fleet.yaml:4: pools.shared.replicas: expected a whole number, got 'four'"),
        ("replicas: 4", "replica: 4", "fleet.yaml:4: pools.shared.replica: unknown"),
        ('pool: shared, price: {input: "0.5"', 'pool: other, price: {input: "0.5"', "no pool is called 'other'"),
        ("standard: {pool", "slow: {pool", "fleet.yaml:16: paths.slow: is none of standard, priority, fast"),
        ("routing: oracle", "routing: clever", "'clever' is none of servery, round_robin"),
        ("pools:", "pool:", "fleet.yaml:2: pool: unknown; the keys are pools, paths"),
        ("decode_tokens_per_s_full: 40", "decode_tokens_per_s_full: 400", "is higher than decode_tokens_per_s"),
        ("shared/0", "shared/4", "no replica is called 'shared/4'"),
        ("kind: dies", "kind: explodes", "needs a kind, one of dies, slows"),
        (
            'price: {input: "0.5"',
            'rows_at_once: 9, price: {input: "0.5"',
            "paths.standard.rows_at_once: is only for batch",
        ),
        ("policies:\n", "traffic: {batch: 1.5}\npolicies:\n", "traffic.batch"),
        ("for_s: 10}\n  - {kind: slows", "for_s: -1}\n  - {kind: slows", "faults.0.for_s"),
        ("prompt: 60000, uncached", "prompt: 0, uncached", "limits.ceilings.prompt"),
    ],
)
def test_each_fault_is_told_with_its_place(written: str, instead: str, told: str) -> None:
    """File, line, field, and what is wrong."""
    text = FLEET + LIMITS + FAULTS
    assert written in text
    assert any(told in fault for fault in faults(text.replace(written, instead, 1)))


def test_all_faults_are_told_at_once() -> None:
    """So that they are mended in one go, the first line first."""
    text = FLEET.replace("replicas: 4", "replicas: 0").replace("routing: oracle", "routing: x")
    lines = [int(fault.split(":")[1]) for fault in faults(text)]
    assert len(lines) == 2
    assert lines == sorted(lines)
