"""How fast a pool serves, and how long that makes a wait."""

import pytest

from servery.admission.service_rate import ServiceRate
from servery.core.clock import ManualClock


def test_a_steady_rate_is_found() -> None:
    """Five a second for some half-lives."""
    clock = ManualClock()
    rate = ServiceRate(clock)
    for _ in range(500):
        clock.advance(0.2)
        rate.count()
    assert rate.requests_per_s == pytest.approx(5.0, rel=0.05)
    assert rate.wait_s(50) == pytest.approx(10.0, rel=0.05)


def test_a_rate_is_forgotten_by_halves() -> None:
    """Ten seconds after the last request it is half of what it was."""
    clock = ManualClock()
    rate = ServiceRate(clock)
    rate.count()
    before = rate.requests_per_s
    clock.advance(10)
    assert rate.requests_per_s == pytest.approx(before / 2)


def test_a_wait_is_between_a_second_and_a_minute() -> None:
    """Also when nothing was ever served, or everything at once."""
    clock = ManualClock()
    rate = ServiceRate(clock)
    assert rate.wait_s(1) == 60
    for _ in range(1_000):
        rate.count()
    assert rate.wait_s(1) == 1
    assert rate.wait_s(0) == 1
    clock.advance(100_000)
    assert rate.wait_s(5) == 60
