"""Rates that are learned from what replicas did."""

import random

import pytest

from servery.routing.prefill_rate import FIRST_TOKENS_PER_S, PoolRate, PrefillRate


def test_a_rate_is_learned_in_a_few_prompts() -> None:
    """Also by those of the pool that have done nothing yet."""
    pool = PoolRate()
    busy, idle = PrefillRate(pool), PrefillRate(pool)
    assert busy.tokens_per_s == FIRST_TOKENS_PER_S
    for _ in range(5):
        busy.learn(8_000, 1.0)
    assert busy.tokens_per_s == pytest.approx(8_000, rel=0.1)
    assert idle.tokens_per_s == busy.tokens_per_s


def test_prompts_that_are_computed_together_teach_the_same() -> None:
    """One took the time of both, the other none: the sums agree."""
    alone, together = PrefillRate(PoolRate()), PrefillRate(PoolRate())
    for _ in range(100):
        alone.learn(4_000, 0.5)
        together.learn(4_000, 0.9)
        together.learn(4_000, 0.13)
    assert together.tokens_per_s == pytest.approx(alone.tokens_per_s, rel=0.1)


def test_noise_does_not_tell_replicas_apart() -> None:
    """Equals have equal rates to the digit, so that luck does not send everything to one."""
    pool, chance = PoolRate(), random.Random(1)
    rates = [PrefillRate(pool) for _ in range(4)]
    for _ in range(200):
        for rate in rates:
            rate.learn(4_000, 0.5 * chance.uniform(0.8, 1.2))
    assert len({rate.tokens_per_s for rate in rates}) == 1


def test_a_slower_replica_is_found_out() -> None:
    """It has a rate of its own."""
    pool = PoolRate()
    slow, *others = (PrefillRate(pool) for _ in range(8))
    for _ in range(50):
        slow.learn(4_000, 2.0)
        for rate in others:
            rate.learn(4_000, 0.5)
    assert slow.tokens_per_s == pytest.approx(2_000, rel=0.2)
    assert others[0].tokens_per_s == pytest.approx(8_000, rel=0.2)


def test_an_outlier_counts_little() -> None:
    """A first prompt that had to wait for a compiler, or a clock that jumped."""
    rate = PrefillRate(PoolRate())
    for _ in range(30):
        rate.learn(4_000, 0.5)
    rate.learn(4_000, 600.0)
    assert rate.tokens_per_s > 6_000
    rate.learn(4_000, 0.0)
    assert rate.tokens_per_s < 10_000


def test_small_prompts_teach_nothing() -> None:
    """Their time is mostly spent on other things."""
    rate = PrefillRate(PoolRate())
    rate.learn(20, 0.5)
    assert rate.tokens_per_s == FIRST_TOKENS_PER_S
