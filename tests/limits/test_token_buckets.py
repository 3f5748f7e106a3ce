"""Three buckets of tokens: what they promise over any stretch of time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.catalog.token_limits import TokenLimits
from servery.core.limit_reading import LimitMetric
from servery.limits.token_buckets import TokenBuckets

LIMITS = TokenLimits(
    prompt_tokens_per_minute=600, uncached_prompt_tokens_per_minute=300, generated_tokens_per_minute=120
)
PAUSES = st.floats(min_value=0.0, max_value=90.0)
TOKENS = st.integers(min_value=0, max_value=700)
STEPS = st.lists(st.tuples(PAUSES, TOKENS, TOKENS, TOKENS), max_size=40)


def buckets(burst_minutes: float = 1.0) -> TokenBuckets:
    return TokenBuckets(LIMITS, burst_minutes=burst_minutes, now_s=0.0)


@given(STEPS, st.floats(min_value=0.1, max_value=3.0))
def test_no_window_sees_more_than_the_capacity_and_its_refill(
    steps: list[tuple[float, int, int, int]], burst_minutes: float
) -> None:
    """In any window at most the capacity plus its length times the limit, and what is owed at its end: here only what
    single demands took beyond the capacity and the refill has not paid back. So for each of the three, however demands
    are spread."""
    tried = buckets(burst_minutes)
    now_s, taken = 0.0, []
    for pause_s, *demand in steps:
        now_s += pause_s
        if tried.take(demand[0], demand[1], demand[2], now_s):
            taken.append((now_s, demand))
    for metric, limit in enumerate((600, 300, 120)):
        capacity = limit * burst_minutes
        owed_after, owed, last_s = [], 0.0, 0.0
        for moment_s, demand in taken:
            owed = max(0.0, owed - (moment_s - last_s) * limit / 60) + max(0.0, demand[metric] - capacity)
            last_s = moment_s
            owed_after.append(owed)
        for start, (since_s, _) in enumerate(taken):
            total = 0
            for (until_s, demand), owed in zip(taken[start:], owed_after[start:], strict=True):
                total += demand[metric]
                assert total <= capacity + (until_s - since_s) * limit / 60 + owed + 0.1


@given(STEPS)
def test_waiting_as_long_as_told_is_enough(steps: list[tuple[float, int, int, int]]) -> None:
    """And nothing much shorter is."""
    tried = buckets()
    now_s = 0.0
    for pause_s, *demand in steps:
        now_s += pause_s
        if tried.take(demand[0], demand[1], demand[2], now_s):
            continue
        shortage = tried.shortage(demand[0], demand[1], demand[2])
        assert shortage is not None
        if shortage.wait_s > 0.01:
            assert not tried.take(demand[0], demand[1], demand[2], now_s + shortage.wait_s * 0.99)
        now_s += shortage.wait_s
        assert tried.take(demand[0], demand[1], demand[2], now_s)


@given(STEPS)
def test_what_is_given_back_at_once_was_never_taken(steps: list[tuple[float, int, int, int]]) -> None:
    """Taking and giving back leaves the levels as they were."""
    tried, untouched = buckets(), buckets()
    now_s = 0.0
    for pause_s, *demand in steps:
        now_s += pause_s
        tried.correct(demand[0], demand[1], demand[2], now_s)
        tried.correct(-demand[0], -demand[1], -demand[2], now_s)
        assert tried.remaining(now_s) == pytest.approx(untouched.remaining(now_s), abs=1)


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), TOKENS), max_size=40))
def test_a_clock_that_jumps_does_no_harm(steps: list[tuple[float, int]]) -> None:
    """Wherever it jumps, no more is there than the capacity, and what is owed stays owed: going back fills nothing."""
    tried = buckets()
    latest_s = 0.0
    for now_s, tokens in steps:
        before = tried.remaining(latest_s)[0]
        if now_s <= latest_s:
            assert tried.remaining(now_s)[0] == before
        latest_s = max(latest_s, now_s)
        level = tried.remaining(now_s)[0]
        assert 0 <= level <= 600
        if tried.take(tokens, 0, 0, now_s):
            assert tried.remaining(now_s)[0] == pytest.approx(max(0, level - tokens), abs=1)


def test_all_three_are_taken_or_none() -> None:
    """The longest wait is told."""
    tried = buckets()
    assert tried.take(500, 250, 100, 0.0)
    assert not tried.take(200, 200, 30, 0.0)
    assert tried.remaining(0.0) == (100, 50, 20)
    shortage = tried.shortage(200, 200, 30)
    assert shortage is not None
    assert (shortage.metric, shortage.limit_per_minute) == (LimitMetric.UNCACHED_PROMPT, 300)
    assert (shortage.requested, shortage.remaining, shortage.wait_s) == (200, 50, 30.0)


def test_a_demand_for_none_never_fails() -> None:
    """An embedding generates nothing, and need not wait while others owe generated tokens."""
    tried = buckets()
    tried.correct(0, 0, 500, 0.0)
    assert tried.take(10, 10, 0, 0.0)
    assert not tried.take(10, 10, 1, 0.0)


def test_a_debt_is_made_good_by_the_refill() -> None:
    """More was used than reserved: later requests wait for it."""
    tried = buckets()
    tried.correct(900, 0, 0, 0.0)
    assert tried.remaining(0.0)[0] == 0
    shortage = tried.shortage(100, 0, 0)
    assert shortage is not None
    assert shortage.wait_s == pytest.approx(40.0)
    assert tried.remaining(60.0)[0] == 300


def test_more_than_the_capacity_waits_for_a_full_bucket() -> None:
    """It could never be taken otherwise; all of it is then taken, and owed."""
    tried = buckets()
    assert tried.take(1, 0, 0, 0.0)
    assert not tried.take(5_000, 0, 0, 0.0)
    assert tried.take(5_000, 0, 0, 0.1)
    assert not tried.take(1, 0, 0, 400.0)
    assert tried.take(1, 0, 0, 441.0)


def test_a_lower_limit_holds_at_once() -> None:
    """What its capacity cannot hold is lost; a higher one is filled by time alone."""
    tried = buckets()
    half = TokenLimits(
        prompt_tokens_per_minute=300, uncached_prompt_tokens_per_minute=150, generated_tokens_per_minute=60
    )
    tried.set_limits(half, 0.0)
    assert tried.remaining(0.0) == (300, 150, 60)
    tried.set_limits(LIMITS, 0.0)
    assert tried.remaining(0.0) == (300, 150, 60)
    assert tried.remaining(30.0) == (600, 300, 120)
