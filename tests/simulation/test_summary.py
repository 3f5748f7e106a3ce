"""Numbers that are made of a run's numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.simulation.reports.summary import fairness, spread_of, summary_of
from servery.simulation.tally import Tally
from servery.simulation.traces.request import Request


def test_percentiles_are_values_that_occurred() -> None:
    """Of 1 to 100: nearest rank."""
    spread = spread_of([float(value) for value in range(100, 0, -1)])
    assert spread is not None
    assert (spread.mean, spread.p50, spread.p90, spread.p99) == (50.5, 51.0, 91.0, 100.0)
    assert spread_of([]) is None


def test_who_asks_for_little_and_gets_it_is_treated_fairly() -> None:
    """One of three asks for a tenth and gets it; the others share the rest equally: nothing is unfair about that."""
    assert fairness([(10, 10), (95, 1000), (95, 500)]) == pytest.approx(1.0)


def test_one_who_gets_all_is_unfair() -> None:
    """Of four who ask for the same: a quarter."""
    assert fairness([(100, 100), (0, 100), (0, 100), (0, 100)]) == pytest.approx(0.25)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=20))
def test_fairness_lies_between_one_for_all_and_one(pairs: list[tuple[int, int]]) -> None:
    """Whatever was asked for and served."""
    value = fairness([(min(served, offered), offered) for served, offered in pairs])
    assert 0.0 < value <= 1.0 + 1e-9


def test_a_fresh_fleet_is_not_fair_or_unfair() -> None:
    """Whoever asks first fills it: that counts neither for fairness nor as goodput, and its time does not either."""
    tally = Tally()
    for number in range(31):
        request = Request(float(number), 50, 50, (), "account-0" if number < 10 else f"account-{number % 2}")
        tally.is_fresh = number < 10
        tally.offered(request)
        tally.completed(request, Usage(50, 0, 50), first_s=0.1, per_token_s=0.01, nanodollars=1, now_s=number + 0.5)
    tally.is_over, tally.fresh_s = True, 10.0
    found = summary_of("x", tally, {})
    assert found.fairness[ServingPath.STANDARD] == pytest.approx(1.0, abs=0.01)
    assert found.total.goodput_tokens_per_s == pytest.approx(105.0)


def test_what_is_served_afterwards_is_not_fair_or_unfair() -> None:
    """Two are served alike while requests come; one of them has ten more waiting, which nobody takes anything from."""
    tally = Tally()
    asked = [Request(float(number), 50, 50, (), f"account-{number % 2}") for number in range(20)]
    asked += [Request(20.0, 50, 50, (), "account-0") for _ in range(10)]
    for request in asked:
        tally.offered(request)
    for number, request in enumerate(asked):
        tally.is_over = number >= 20
        tally.completed(request, Usage(50, 0, 50), first_s=0.1, per_token_s=0.01, nanodollars=1, now_s=30.0)
    assert summary_of("x", tally, {}).fairness[ServingPath.STANDARD] == pytest.approx(1.0)
