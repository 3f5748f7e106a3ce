"""How fast a pool serves when it is full."""

from random import Random

import pytest

from servery.admission.service_rate import ServiceRate, replicas_kept
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
    """None where none comes; else so many that hardly any Priority finds none, or as many as may stand empty. The walk
    that the formula is of agrees."""
    rate = ServiceRate()
    assert rate.places_for_priority(most=100, idle=100.0) == 0
    steady(rate, from_s=0.0, seconds=60, work=30.0)
    assert missing_for(rate, rate.places_for_priority(most=100, idle=100.0))[1] < 0.001
    assert rate.places_for_priority(most=3, idle=100.0) == 3
    few = rate.places_for_priority(most=100, idle=2.0)
    assert missing_for(rate, few)[0] <= 2.05 < missing_for(rate, few + 1)[0]


def test_one_priority_alone_keeps_no_place() -> None:
    """All that was sent was of Priority, but it was one request: of a small pool a quarter would stand empty for it."""
    rate = ServiceRate()
    rate.waiting(0.0)
    rate.sent(PRIORITY, 100.0)
    assert rate.priority_share == 1.0
    assert rate.places_for_priority(most=1, idle=0.2) == 0
    for _ in range(100):
        rate.sent(PRIORITY, 100.0)
    assert rate.places_for_priority(most=1, idle=0.2) == 1


def missing_for(rate: ServiceRate, kept: int) -> tuple[float, float]:
    """Places come free one after another, and Priority comes at its share of that rate: how many of ``kept`` stand
    empty on the average, and how often a Priority finds none."""
    random, free, empty, come, none = Random(1), kept, 0, 0, 0
    for _ in range(100_000):
        if random.random() < rate.priority_share / (1 + rate.priority_share):
            come += 1
            none += free <= 0
            free -= 1
        else:
            free = min(kept, free + 1)
        empty += max(0, free)
    return empty / 100_000, none / come


def test_while_a_pool_fills_its_places_say_how_fast_it_will_be() -> None:
    """Ten places are taken in the first second, each for five: ten a second are sent, two a second will be."""
    rate = ServiceRate()
    for step in range(11):
        rate.waiting(step / 10)
        rate.sent(STANDARD, 100.0)
        if step % 5 == 4:
            rate.done(100.0)
    assert rate.work_per_s is not None
    assert rate.work_per_s > 900
    assert 150 < rate.when_full(places=10, work=100.0, place_per_s=20.0) < 450


def test_what_is_full_is_taken_to_be_quick_until_it_shows() -> None:
    """At first as its places are; while nobody gets done it is ever slower, and never nothing."""
    rate = ServiceRate()
    assert rate.when_full(places=10, work=100.0, place_per_s=20.0) == 200
    told = []
    for second in range(10):
        rate.waiting(float(second))
        told.append(rate.when_full(places=10, work=100.0, place_per_s=20.0))
    assert told == sorted(told, reverse=True)
    assert told[-1] < 50
    steady(rate, from_s=10.0, seconds=60, work=1.0)
    assert 0.0 < rate.when_full(places=10, work=100.0, place_per_s=20.0) < 2


def test_a_single_place_is_guessed_at_for_longer() -> None:
    """One that is busy for a second has shown nothing yet; hundreds have."""
    rate = ServiceRate()
    rate.waiting(0.0)
    rate.waiting(1.0)
    single = rate.when_full(places=1, work=1_000.0, place_per_s=200.0)
    many = rate.when_full(places=256, work=1_000.0, place_per_s=200.0)
    assert single > 0.9 * 200
    assert many < 0.4 * 256 * 200


@pytest.mark.parametrize(("replicas", "kept"), [(1, 0), (3, 0), (4, 1), (7, 1), (8, 2), (256, 2)])
def test_a_quarter_of_the_replicas_stays_ready_and_two_at_most(replicas: int, kept: int) -> None:
    """Of few replicas none has to be idle for it."""
    assert replicas_kept(replicas) == kept
