"""Limits that follow use, held against the documented examples and against their bounds."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.catalog.token_limits import TokenLimits
from servery.limits.adaptation import (
    AdaptiveLimit,
    AdaptiveLimits,
    Used,
    bounded,
    minutes_ended,
    not_ahead,
    starting,
)
from servery.limits.rules import AdaptationRules

DAY = 24 * 60
FIRST = 29_000_000 - 29_000_000 % DAY


def tokens(prompt: int, uncached: int | None = None, generated: int | None = None) -> TokenLimits:
    return TokenLimits(
        prompt_tokens_per_minute=prompt,
        uncached_prompt_tokens_per_minute=uncached or prompt,
        generated_tokens_per_minute=generated or prompt,
    )


CEILINGS = tokens(21_600_000, 5_400_000, 216_000)


def at(limit: int, minute: int = FIRST) -> AdaptiveLimits:
    """Three limits of the same height that have not changed for long."""
    one = AdaptiveLimit(limit, minute - 10 * DAY)
    return AdaptiveLimits(one, one, one, minute, minute)


def lived(
    state: AdaptiveLimits,
    used: Callable[[int], int],
    *,
    minutes: int,
    rules: AdaptationRules,
    ceilings: TokenLimits = CEILINGS,
) -> list[tuple[int, int]]:
    """Minutes since the start at which the limit of prompt tokens changed, and what to; ``used`` tells how many tokens
    the minute of a number uses."""
    first, changes, before = state.minute, [], state.prompt.tokens_per_minute
    for minute in range(minutes):
        state = minutes_ended(
            state, Used(prompt=used(minute)), now_minute=first + minute + 1, rules=rules, ceilings=ceilings
        )
        if state.prompt.tokens_per_minute != before:
            before = state.prompt.tokens_per_minute
            changes.append((minute + 1, before))
    return changes


def test_the_documented_fall_to_the_digit() -> None:
    """From 10M, when traffic falls to 1M a minute: on days 3 to 8, a fifth each, then stable, 1M being more than a
    third of what is left."""
    rules = AdaptationRules(start=tokens(1_000))
    state, busy = at(10_000_000), tokens(10_000_000)
    for minute in range(15):  # the last quarter of an hour of the old traffic
        state = minutes_ended(state, Used(prompt=5_000_000), now_minute=FIRST + minute + 1, rules=rules, ceilings=busy)
    changes = lived(state, lambda _: 1_000_000, minutes=20 * DAY, rules=rules, ceilings=busy)
    assert changes == [
        (3 * DAY, 8_000_000),
        (4 * DAY, 6_400_000),
        (5 * DAY, 5_120_000),
        (6 * DAY, 4_096_000),
        (7 * DAY, 3_276_800),
        (8 * DAY, 2_621_440),
    ]


def test_the_documented_rise() -> None:
    """At a limit of 1.0M, with 0.5M to 1.0M a minute, it is 1.25M after a quarter of an hour."""
    rules = AdaptationRules(start=tokens(1_000_000))
    fresh = starting(rules, CEILINGS, minute=FIRST)
    changes = lived(fresh, lambda minute: 510_000 + minute % 10 * 49_000, minutes=30, rules=rules)
    assert changes[0] == (15, 1_250_000)


@pytest.mark.parametrize(("ceiling", "hours"), [(21_600_000, 2.25), (216_000_000, 4.75)])
def test_the_ceiling_is_reached_in_a_few_hours(ceiling: int, hours: float) -> None:
    """By a load that follows the limit, from 3.6M: a quarter more every 15 minutes, and never above the ceiling."""
    rules = AdaptationRules()
    state = starting(rules, tokens(ceiling), minute=FIRST)
    reached = 0
    for minute in range(1, 8 * 60):
        used = Used(prompt=state.prompt.tokens_per_minute * 9 // 10)
        state = minutes_ended(state, used, now_minute=FIRST + minute, rules=rules, ceilings=tokens(ceiling))
        assert state.prompt.tokens_per_minute <= ceiling
        reached = reached or (minute if state.prompt.tokens_per_minute == ceiling else 0)
    assert reached == hours * 60


def test_each_limit_changes_by_itself() -> None:
    """Much read and little written raises the limit of reading alone."""
    rules = AdaptationRules()
    state = starting(rules, CEILINGS, minute=FIRST)
    for minute in range(1, 20):
        state = minutes_ended(state, Used(3_000_000, 10, 10), now_minute=FIRST + minute, rules=rules, ceilings=CEILINGS)
    assert state.token_limits == tokens(4_500_000, 900_000, 36_000)


def test_half_of_the_limit_is_not_more_than_half() -> None:
    """The limit stays at exactly half."""
    fresh = starting(AdaptationRules(), CEILINGS, minute=FIRST)
    assert lived(fresh, lambda _: 1_800_000, minutes=60, rules=AdaptationRules()) == []


def test_a_busy_minute_keeps_a_limit_from_falling() -> None:
    """Half of what it would become is in use, if only in the minute in which it would fall."""
    rules = AdaptationRules(start=tokens(1_000))
    busy = tokens(10_000_000)
    quiet = lived(at(10_000_000), lambda _: 0, minutes=60, rules=rules, ceilings=busy)
    assert quiet == [(15, 8_000_000)]
    bursts = lived(
        at(10_000_000), lambda minute: 4_000_000 if minute % 15 == 14 else 0, minutes=60, rules=rules, ceilings=busy
    )
    assert bursts == []


def test_limits_go_back_to_their_start_after_three_days_without_use() -> None:
    """Not a minute earlier."""
    rules = AdaptationRules()
    state = minutes_ended(
        at(20_000_000),
        Used(*[110_000_000] * 3),
        now_minute=FIRST + 1,
        rules=rules,
        ceilings=tokens(20_000_000),
    )
    before = minutes_ended(state, Used(), now_minute=FIRST + 3 * DAY, rules=rules, ceilings=tokens(20_000_000))
    assert before.prompt.tokens_per_minute == 20_000_000
    after = minutes_ended(state, Used(), now_minute=FIRST + 1 + 3 * DAY, rules=rules, ceilings=tokens(20_000_000))
    assert after.token_limits == rules.start


def test_limits_never_start_above_a_ceiling() -> None:
    """A catalog may list ceilings below the start; there limits stay."""
    low = tokens(1_000, 500, 100)
    state = starting(AdaptationRules(), low, minute=FIRST)
    assert state.token_limits == low
    assert lived(state, lambda _: 1_000, minutes=10 * DAY, rules=AdaptationRules(), ceilings=low) == []


def test_other_ceilings_and_starts_hold_at_once() -> None:
    """What lies above the one or below the other is moved to it; the rest is left alone."""
    rules = AdaptationRules()
    assert bounded(at(20_000_000), rules=rules, ceilings=CEILINGS).token_limits == tokens(
        20_000_000, 5_400_000, 216_000
    )
    assert bounded(at(5), rules=rules, ceilings=CEILINGS).token_limits == rules.start


def test_what_was_written_under_a_clock_ahead_is_brought_back() -> None:
    """Nothing in it is later than now, so nothing waits for that clock to be right."""
    rules = AdaptationRules(start=tokens(1_000_000))
    ahead = starting(rules, CEILINGS, minute=FIRST + 1_000 * DAY)
    state = not_ahead(ahead, now_minute=FIRST)
    assert (state.minute, state.used_minute, state.prompt.changed_minute) == (FIRST, FIRST, FIRST)
    assert lived(state, lambda _: 900_000, minutes=15, rules=rules) == [(15, 1_250_000)]


SHORT = AdaptationRules(
    start=tokens(100),
    increase_interval_minutes=3,
    decrease_interval_minutes=12,
    decrease_window_minutes=24,
    sample_minutes=4,
    idle_minutes=40,
)
LOADS = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 1_500)), max_size=40)


@given(LOADS)
@settings(max_examples=200)
def test_looking_more_often_changes_nothing(loads: list[tuple[int, int]]) -> None:
    """Whether the ends of minutes are looked at one by one or made up for together, limits are the same."""
    often = seldom = starting(SHORT, tokens(1_000), minute=FIRST)
    now_minute = FIRST
    for pause, used_tokens in loads:
        used = Used(used_tokens, used_tokens, used_tokens)
        often = minutes_ended(often, used, now_minute=now_minute + 1, rules=SHORT, ceilings=tokens(1_000))
        for minute in range(now_minute + 1, now_minute + pause):
            often = minutes_ended(often, Used(), now_minute=minute + 1, rules=SHORT, ceilings=tokens(1_000))
        now_minute += pause
        seldom = minutes_ended(seldom, used, now_minute=now_minute, rules=SHORT, ceilings=tokens(1_000))
        assert often.token_limits == seldom.token_limits
        assert often.used_minute == seldom.used_minute


@given(LOADS)
def test_limits_keep_their_bounds_and_their_pace(loads: list[tuple[int, int]]) -> None:
    """Never below the start, never above the ceiling, never two changes within the shorter interval; what is remembered
    of samples is no more than fits into the window, and falls."""
    state = starting(SHORT, tokens(1_000), minute=FIRST)
    changed = FIRST
    for pause, used_tokens in loads:
        before = state.prompt.tokens_per_minute
        state = minutes_ended(
            state, Used(prompt=used_tokens), now_minute=state.minute + pause, rules=SHORT, ceilings=tokens(1_000)
        )
        now = state.prompt.tokens_per_minute
        assert 100 <= now <= 1_000
        if now > before:
            assert state.prompt.changed_minute - changed >= SHORT.increase_interval_minutes
        changed = state.prompt.changed_minute
        peaks = [peak.tokens_per_minute for peak in state.prompt.peaks]
        assert len(peaks) <= SHORT.decrease_window_minutes // SHORT.sample_minutes
        assert peaks == sorted(peaks, reverse=True)


def test_a_clock_that_went_back_changes_nothing() -> None:
    """The state waits for the clock to come to where it was."""
    state = at(20_000_000)
    for now_minute in (0, FIRST - 1, FIRST):
        assert minutes_ended(state, Used(9, 9, 9), now_minute=now_minute, rules=SHORT, ceilings=CEILINGS) is state


def test_the_state_can_be_written_down() -> None:
    """And read again, the same."""
    state = starting(AdaptationRules(), CEILINGS, minute=FIRST)
    for minute in range(1, 40):
        state = minutes_ended(
            state, Used(40_000 - minute, 5, 5), now_minute=FIRST + minute, rules=AdaptationRules(), ceilings=CEILINGS
        )
    assert len(state.prompt.peaks) > 1
    assert msgspec.json.decode(msgspec.json.encode(state), type=AdaptiveLimits) == state
