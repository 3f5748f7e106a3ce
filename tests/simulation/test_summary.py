"""Numbers that are made of a run's numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.simulation.reports.summary import fairness, spread_of


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
