"""Whole runs: the platform's own decisions, and others beside them, on made-up traffic."""

import msgspec
import pytest
from tests.simulation.fleets import FAULTS, LIMITS, described, run, traffic

from servery.core.misconfigured import Misconfigured
from servery.core.serving_path import ServingPath
from servery.simulation.clients import Clients, Retrying
from servery.simulation.reports.summary import Summary, summary_of
from servery.simulation.simulation import Simulation
from servery.simulation.tally import Ending
from servery.simulation.traces.synthetic import Kind

POLICIES = ("servery", "fifo", "round_robin", "least_requests", "prefix_hash", "cache_aware", "oracle", "bare")


def summary(simulation: Simulation) -> Summary:
    return summary_of("x", simulation.tally, simulation.pools)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("retrying", [Retrying.NEVER, Retrying.HONESTLY])
def test_each_request_ends_once_whatever_breaks(policy: str, retrying: Retrying) -> None:
    """Under overload, limits and faults: nothing is in flight afterwards, nothing waits, nothing stays reserved
    (``check_integrity``), and no request is forgotten."""
    fleet = described(LIMITS.replace("60000", "400000"), FAULTS)
    trace = traffic(Kind.NOISY, requests=700, requests_per_s=40.0, priority_share=0.3)
    simulation = run(fleet, policy, trace, clients=Clients(retrying=retrying, most_retries=5))
    total = summary(simulation).total
    assert total.requests == 700
    assert total.endings[Ending.COMPLETED] > 0


@pytest.mark.parametrize("seed", range(8))
def test_each_request_ends_once_for_any_seed(seed: int) -> None:
    """The same for the platform's own policy, with other traffic each time."""
    kind = tuple(Kind)[seed % len(Kind)]
    trace = traffic(kind, requests=500, requests_per_s=10.0 + 10 * seed, priority_share=0.2, seed=seed)
    run(described(LIMITS.replace("60000", "2000000"), FAULTS), "servery", trace, seed=seed)


def test_equal_seeds_give_equal_reports() -> None:
    """To the last byte; and the deal of another seed another report."""

    def report(seed: int) -> bytes:
        trace = traffic(Kind.CHAT, requests=500, priority_share=0.3, seed=seed)
        return msgspec.json.encode(summary(run(described(FAULTS), "servery", trace, seed=seed)))

    assert report(1) == report(1)
    assert report(1) != report(2)


@pytest.mark.parametrize("kind", [Kind.CHAT, Kind.AGENTS])
def test_routing_by_least_work_is_near_to_the_oracle(kind: Kind) -> None:
    """With prompts that share prefixes it reaches times to the first token that are near to those of a router that sees
    into the engines, and better than by turns; and its predictions of cached tokens are right."""
    fleet = described()
    trace = traffic(kind, requests=2_000, requests_per_s=4.0)
    ours, oracle, turns = (summary(run(fleet, policy, trace)) for policy in ("servery", "oracle", "round_robin_fifo"))
    means = [one.total.time_to_first_token_s.mean for one in (ours, oracle, turns) if one.total.time_to_first_token_s]
    assert means[0] < 1.15 * means[1]
    assert means[0] < 0.8 * means[2]
    assert ours.index_error is not None
    assert ours.index_error < 0.05


def test_priority_is_served_before_standard() -> None:
    """Twice as much as the fleet can do is asked for: Standard is refused, Priority hardly is."""
    trace = traffic(Kind.RANDOM, requests=2_000, requests_per_s=20.0, priority_share=0.2)
    paths = summary(run(described(), "servery", trace)).by_path
    served = {path: row.endings[Ending.COMPLETED] / row.requests for path, row in paths.items()}
    assert served[ServingPath.STANDARD] < 0.6
    assert served[ServingPath.PRIORITY] > 0.95


def test_limits_refuse_what_is_beyond_them() -> None:
    """With 60,000 prompt tokens a minute for each account, no account is served more than that and a full bucket."""
    result = summary(run(described(LIMITS), "servery", traffic(Kind.RANDOM)))
    minutes = result.duration_s / 60
    assert result.total.endings[Ending.LIMITED] > 0
    for row in result.by_account.values():
        assert row.prompt_tokens <= 60_000 * (minutes + 1)


def test_a_retry_storm_does_not_bring_goodput_down() -> None:
    """Twice the capacity is asked for, and who is refused calls again at once, many times over: as much is served as
    without it."""
    trace = traffic(Kind.RANDOM, requests=1_000, requests_per_s=20.0)
    calm = summary(run(described(), "servery", trace))
    stormy = summary(run(described(), "servery", trace, clients=Clients(retrying=Retrying.AT_ONCE, most_retries=50)))
    assert stormy.retries > 1_000
    assert stormy.total.goodput_tokens_per_s > 0.9 * calm.total.goodput_tokens_per_s


def test_one_dead_replica_costs_few_answers() -> None:
    """What was being answered breaks; the others go on with all that comes."""
    faults = "faults:\n  - {kind: dies, replica: shared/0, at_s: 60, for_s: 30}\n"
    result = summary(run(described(faults), "servery", traffic(Kind.CHAT, requests=1_200, requests_per_s=4.0)))
    assert 0 < result.total.endings[Ending.ENGINE_BROKE] <= 20
    assert result.total.endings[Ending.COMPLETED] >= 1_180


def test_charges_are_the_prices_of_what_was_used() -> None:
    """To the pico-dollar: revenue is the sum over tokens."""
    total = summary(run(described(), "servery", traffic(Kind.CHAT, requests=300))).total
    uncached = total.prompt_tokens - total.cached_prompt_tokens
    picodollars = 500_000 * uncached + 250_000 * total.cached_prompt_tokens + 1_500_000 * total.generated_tokens
    assert abs(total.nanodollars - picodollars / 1000) <= 0.5 * total.requests


def test_a_path_that_nobody_serves_is_refused() -> None:
    """With its name."""
    with pytest.raises(Misconfigured, match="fast"):
        run(described(), "servery", traffic(Kind.CHAT, fast_share=1.0))
