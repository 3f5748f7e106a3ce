"""How fast a pool serves when it is full."""

from random import Random

import pytest

from servery.admission.service_rate import ServiceRate
from servery.core.serving_path import ServingClass

STANDARD, PRIORITY = ServingClass.STANDARD, ServingClass.PRIORITY


def steady(rate: ServiceRate, *, from_s: float, seconds: int, work: float) -> float:
    """Five requests a second of ``work`` each, every fifth a Priority."""
    for step in range(seconds * 5):
        rate.waiting(from_s + step / 5)
        rate.sent(PRIORITY if step % 5 == 0 else STANDARD, work)
    return from_s + seconds


def test_a_steady_rate_is_found() -> None:
    """And Priority's part of it."""
    rate = ServiceRate()
    steady(rate, from_s=100.0, seconds=60, work=30.0)
    assert rate.work_per_s == pytest.approx(150.0, rel=0.05)
    assert rate.priority_share == pytest.approx(0.2, rel=0.1)


def test_nothing_is_told_from_too_little() -> None:
    """A single moment is no rate."""
    rate = ServiceRate()
    assert rate.work_per_s is None
    rate.waiting(5.0)
    rate.sent(STANDARD, 10.0)
    assert rate.work_per_s is None


def test_time_in_which_nobody_waits_does_not_count() -> None:
    """Little is asked of the pool then; what it can do is still what it was."""
    rate = ServiceRate()
    end_s = steady(rate, from_s=0.0, seconds=60, work=30.0)
    before = rate.work_per_s
    rate.nobody_waits()
    assert rate.work_per_s == before
    steady(rate, from_s=end_s + 10_000, seconds=5, work=30.0)
    assert rate.work_per_s == pytest.approx(150.0, rel=0.05)


def test_a_pool_that_stops_is_seen_to_stop() -> None:
    """While somebody waits and nothing is sent the rate falls by half in ten seconds at first; a clock that goes back
    changes nothing."""
    rate = ServiceRate()
    steady(rate, from_s=0.0, seconds=600, work=30.0)
    rate.waiting(609.8)
    assert rate.work_per_s == pytest.approx(75.0, rel=0.05)
    rate.waiting(1.0)
    assert rate.work_per_s == pytest.approx(75.0, rel=0.05)


def test_places_are_kept_free_as_priority_needs_them() -> None:
    """None where none comes; more the larger its share, never more than there may be. The formula's own walk agrees:
    hardly any step finds none free."""
    rate = ServiceRate()
    assert rate.places_for_priority(100) == 0
    steady(rate, from_s=0.0, seconds=60, work=30.0)
    few = rate.places_for_priority(100)
    assert 5 <= few <= 7
    assert rate.places_for_priority(2) == 2
    random, free, none = Random(1), few, 0
    for _ in range(100_000):
        if random.random() < rate.priority_share / (1 + rate.priority_share):
            none += free == 0
            free = max(0, free - 1)
        else:
            free = min(few, free + 1)
    assert none < 30
