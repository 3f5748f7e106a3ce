"""A bucket of tokens: what it promises over any stretch of time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.limits.token_bucket import TokenBucket

PER_MINUTE = 600
PAUSES = st.floats(min_value=0.0, max_value=90.0)
STEPS = st.lists(st.tuples(PAUSES, st.integers(min_value=1, max_value=PER_MINUTE)), max_size=40)


@given(STEPS)
def test_no_window_sees_more_than_a_full_bucket_and_its_refill(steps: list[tuple[float, int]]) -> None:
    """In any T seconds at most the capacity plus T times the rate is reserved, however requests are spread."""
    bucket = TokenBucket(per_minute=PER_MINUTE, now_s=0.0)
    now_s, taken = 0.0, []
    for pause_s, tokens in steps:
        now_s += pause_s
        if bucket.wait_s(tokens, now_s) == 0:
            bucket.take(tokens, now_s)
            taken.append((now_s, tokens))
    for start, (since_s, _) in enumerate(taken):
        total = 0
        for until_s, tokens in taken[start:]:
            total += tokens
            assert total <= PER_MINUTE + (until_s - since_s) * PER_MINUTE / 60 + 1e-6


@given(STEPS)
def test_waiting_as_long_as_told_is_enough(steps: list[tuple[float, int]]) -> None:
    """And nothing shorter is."""
    bucket = TokenBucket(per_minute=PER_MINUTE, now_s=0.0)
    now_s = 0.0
    for pause_s, tokens in steps:
        now_s += pause_s
        wait_s = bucket.wait_s(tokens, now_s)
        assert (wait_s == 0) == (tokens <= bucket.remaining(now_s) or wait_s < 1e-9)
        if wait_s > 1e-3:
            assert bucket.wait_s(tokens, now_s + wait_s * 0.99) > 0
        now_s += wait_s + 1e-6
        assert bucket.wait_s(tokens, now_s) == 0
        bucket.take(tokens, now_s)


@given(STEPS)
def test_what_is_given_back_at_once_was_never_taken(steps: list[tuple[float, int]]) -> None:
    """Reserving and giving back leaves the level as it was."""
    bucket, untouched = (TokenBucket(per_minute=PER_MINUTE, now_s=0.0) for _ in range(2))
    now_s = 0.0
    for pause_s, tokens in steps:
        now_s += pause_s
        bucket.take(tokens, now_s)
        bucket.take(-tokens, now_s)
        assert bucket.remaining(now_s) == pytest.approx(untouched.remaining(now_s), abs=1)


def test_a_bucket_never_holds_more_than_a_minute() -> None:
    """Neither by waiting nor by giving back."""
    bucket = TokenBucket(per_minute=PER_MINUTE, now_s=0.0)
    assert bucket.remaining(1_000.0) == PER_MINUTE
    bucket.take(-50, 1_000.0)
    assert bucket.remaining(1_000.0) == PER_MINUTE


def test_a_level_below_nothing_is_made_good_by_the_refill() -> None:
    """More was used than reserved: later requests wait for it."""
    bucket = TokenBucket(per_minute=PER_MINUTE, now_s=0.0)
    bucket.take(900, 0.0)
    assert bucket.remaining(0.0) == 0
    assert bucket.wait_s(100, 0.0) == pytest.approx(40.0)
    assert bucket.remaining(60.0) == 300


def test_more_than_a_minutes_limit_waits_for_a_full_bucket() -> None:
    """It could never be reserved whole."""
    bucket = TokenBucket(per_minute=PER_MINUTE, now_s=0.0)
    assert bucket.wait_s(5_000, 0.0) == 0
    bucket.take(1, 0.0)
    assert bucket.wait_s(5_000, 0.0) == pytest.approx(0.1)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """It neither fills nor empties, and filling goes on from the latest moment that was seen."""
    bucket = TokenBucket(per_minute=PER_MINUTE, now_s=100.0)
    bucket.take(600, 100.0)
    assert bucket.remaining(50.0) == 0
    assert bucket.remaining(100.0) == 0
    assert bucket.remaining(106.0) == 60
