"""Reserving on arrival, settling with what was really used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.limits.desk import Desk, remaining

from servery.core.errors import LimitExceeded
from servery.core.limit_reading import LimitMetric
from servery.core.usage import Usage
from servery.limits.estimated import Estimate
from servery.limits.rules import LimitRules


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_reservation_is_replaced_by_what_was_used(desk: Desk) -> None:
    """While it is open the estimate is taken, after it the usage; cached prompt tokens count only for the total."""
    grant = desk.reserve(Estimate(100, 100, 50))
    assert remaining(grant.reading()) == (900, 400, 50)
    grant.settle(Usage(80, 60, 10))
    grant.release()
    assert desk.left() == (920, 480, 90)


def test_an_unsettled_reservation_is_given_back(desk: Desk) -> None:
    """Once, however often it is released."""
    other = desk.reserve(Estimate(10, 10, 10))
    grant = desk.reserve(Estimate(100, 100, 50))
    grant.release()
    grant.release()
    assert desk.left() == (990, 490, 90)
    other.release()
    assert desk.left() == (1_000, 500, 100)
    assert desk.limiter.open_grants == 0


def test_settling_again_replaces_what_was_settled(desk: Desk) -> None:
    """A client may leave at the very end, when its usage is known already."""
    grant = desk.reserve(Estimate(100, 100, 50))
    grant.settle(Usage(80, 60, 10))
    grant.settle(Usage(90, 0, 20))
    grant.release()
    assert desk.left() == (910, 410, 80)
    model = grant.model
    assert (model.used_prompt, model.used_uncached, model.used_generated) == (90, 90, 20)


@pytest.mark.parametrize(
    ("taken", "asked", "metric", "wait_s"),
    [
        (Estimate(950, 0, 0), Estimate(100, 0, 0), LimitMetric.PROMPT, 3.0),
        (Estimate(450, 450, 0), Estimate(100, 100, 0), LimitMetric.UNCACHED_PROMPT, 6.0),
        (Estimate(1, 1, 100), Estimate(1, 1, 50), LimitMetric.GENERATED, 30.0),
    ],
)
def test_each_limit_refuses_for_itself(
    desk: Desk, taken: Estimate, asked: Estimate, metric: LimitMetric, wait_s: float
) -> None:
    """Naming itself, what was asked for, what remains, and when there will be enough; nothing is taken."""
    grant = desk.reserve(taken)
    before = remaining(grant.reading())
    with pytest.raises(LimitExceeded) as refusal:
        desk.reserve(asked)
    assert refusal.value.retry_after_s == pytest.approx(wait_s)
    assert refusal.value.shortage is not None
    assert refusal.value.shortage.metric is metric
    assert refusal.value.reading is not None
    assert remaining(refusal.value.reading) == before
    assert remaining(grant.reading()) == before


def test_a_refusal_says_all_of_it_in_words(desk: Desk) -> None:
    """The limit, what was asked, what remains, when to come back."""
    desk.reserve(Estimate(950, 0, 0))
    with pytest.raises(LimitExceeded) as refusal:
        desk.reserve(Estimate(100, 0, 0))
    assert refusal.value.message == (
        "rate limit exceeded, please try again later: 100 prompt tokens asked for,"
        " 50 of 1000 per minute remain; retry after 3.0 s"
    )


@pytest.mark.parametrize(("chance", "wait_s"), [(0.0, 3.0), (0.5, 3.75), (1.0, 4.5)])
def test_waits_are_spread(chance: float, wait_s: float) -> None:
    """Up to half as long again, so that those who were refused together do not come back together."""
    desk = Desk(chance=chance)
    desk.reserve(Estimate(950, 0, 0))
    with pytest.raises(LimitExceeded) as refusal:
        desk.reserve(Estimate(100, 0, 0))
    assert refusal.value.retry_after_s == pytest.approx(wait_s)


def test_accounts_and_models_do_not_share_limits(desk: Desk) -> None:
    """A model's Standard and Priority do: they are counted under one name."""
    desk.reserve(Estimate(1_000, 500, 100))
    with pytest.raises(LimitExceeded):
        desk.reserve(Estimate(1, 1, 1))
    desk.reserve(Estimate(1_000, 500, 100), account="globex")
    desk.reserve(Estimate(1_000, 500, 100), counted_as="other")


def test_limits_refill_within_a_minute(desk: Desk) -> None:
    """Continuously."""
    grant = desk.reserve(Estimate(1_000, 500, 100))
    grant.settle(Usage(1_000, 500, 100))
    assert desk.left() == (0, 0, 0)
    desk.clock.advance(30)
    assert desk.left() == (500, 250, 50)
    desk.clock.advance(60)
    assert desk.left() == (1_000, 500, 100)


def test_a_long_request_is_not_counted_twice(desk: Desk) -> None:
    """What it used was taken when it was reserved, and has been refilled since."""
    grant = desk.reserve(Estimate(100, 100, 100))
    desk.clock.advance(120)
    grant.settle(Usage(100, 0, 100))
    grant.release()
    assert desk.left() == (1_000, 500, 100)


def test_a_stream_that_outgrows_its_reservation_reserves_more(desk: Desk) -> None:
    """As much as it has generated, never refused; others wait for it. Settling takes only what is still missing."""
    grant = desk.reserve(Estimate(10, 10, 40))
    grant.extend(30)
    assert desk.left()[2] == 60
    grant.extend(90)
    assert desk.left()[2] == 10
    grant.extend(150)
    assert desk.left()[2] == 0
    with pytest.raises(LimitExceeded) as refusal:
        desk.reserve(Estimate(1, 1, 10))
    assert refusal.value.retry_after_s == pytest.approx(36.0)
    grant.settle(Usage(10, 0, 160))
    grant.release()
    with pytest.raises(LimitExceeded) as refusal:
        desk.reserve(Estimate(1, 1, 10))
    assert refusal.value.retry_after_s == pytest.approx(42.0)


def test_what_is_over_is_not_extended(desk: Desk) -> None:
    """A reservation that was settled or released takes nothing more."""
    grant = desk.reserve(Estimate(10, 10, 10))
    grant.settle(Usage(10, 0, 10))
    grant.extend(90)
    grant.release()
    grant.extend(90)
    assert desk.left()[2] == 90


def test_what_was_used_beyond_the_estimate_is_taken_at_the_end(desk: Desk) -> None:
    """Down to below nothing, if need be: later requests wait."""
    grant = desk.reserve(Estimate(10, 10, 10))
    grant.settle(Usage(10, 0, 150))
    grant.release()
    assert desk.left()[2] == 0
    with pytest.raises(LimitExceeded) as refusal:
        desk.reserve(Estimate(1, 1, 10))
    assert refusal.value.retry_after_s == pytest.approx(36.0)


NOTHING = Estimate(0, 0, 0)


def test_requests_are_counted_over_all_models() -> None:
    """Of an account, refilled as tokens are; another account has its own."""
    desk = Desk(LimitRules(requests_per_minute=60))
    for number in range(60):
        desk.reserve(NOTHING, counted_as=f"m{number % 3}")
    with pytest.raises(LimitExceeded) as refusal:
        desk.reserve(NOTHING)
    assert refusal.value.shortage is not None
    assert refusal.value.shortage.metric is LimitMetric.REQUESTS
    assert refusal.value.retry_after_s == pytest.approx(1.0)
    desk.reserve(NOTHING, account="globex")
    desk.clock.advance(1)
    desk.reserve(NOTHING)


def test_who_has_nothing_to_pay_with_may_ask_a_little(desk: Desk) -> None:
    """Ten a minute; at once when the money is gone, and no more than before when it is back."""
    for _ in range(10):
        desk.reserve(NOTHING, account="new", funded=False)
    with pytest.raises(LimitExceeded):
        desk.reserve(NOTHING, account="new", funded=False)
    desk.reserve(NOTHING)
    for _ in range(9):
        desk.reserve(NOTHING, funded=False)
    with pytest.raises(LimitExceeded):
        desk.reserve(NOTHING, funded=False)


TOKENS = st.integers(min_value=0, max_value=400)


@given(st.lists(st.tuples(TOKENS, TOKENS, st.floats(min_value=0, max_value=20)), max_size=30))
def test_what_is_left_is_what_was_not_used(steps: list[tuple[int, int, float]]) -> None:
    """After any sequence, with time passing inside and outside of requests: at least the limit less all use, at most
    that and the refill, and never more than the limit."""
    desk = Desk()
    used = 0
    for estimated, really, pause_s in steps:
        try:
            with desk.reserved(Estimate(estimated, 0, 0)) as grant:
                desk.clock.advance(pause_s)
                grant.settle(Usage(really, really, 0))
                used += really
        except LimitExceeded:
            desk.clock.advance(pause_s)
        refilled = desk.clock.monotonic_s() * 1_000 / 60
        left = desk.left()[0]
        assert max(0, 1_000 - used) <= left + 1
        assert left <= min(1_000, max(0, 1_000 - used + refilled)) + 1
    assert desk.limiter.open_grants == 0


ENDS = st.sampled_from(["settle", "leave", "extend"])


@given(st.lists(st.tuples(st.floats(0, 30), TOKENS, TOKENS, ENDS, st.integers(0, 5)), max_size=40))
def test_no_window_sees_more_than_the_limit(steps: list[tuple[float, int, int, str, int]]) -> None:
    """Requests overlap, run over their estimates, or leave: in any window, what was taken less what was given back is
    at most the capacity, the refill, and what is owed at its end, which is no more than was used beyond estimates."""
    desk = Desk()
    open_: list[tuple[object, int]] = []
    flows: list[tuple[float, float, float]] = []  # when, taken, owed afterwards
    beyond = 0
    for pause_s, estimated, really, end, number in steps:
        desk.clock.advance(pause_s)
        now_s = desk.clock.monotonic_s()
        try:
            open_.append((desk.reserve(Estimate(estimated, 0, 0)), estimated))
            flows.append((now_s, estimated, 0.0))
        except LimitExceeded:
            pass
        if number < len(open_):
            grant, reserved = open_.pop(number)
            if end == "settle":
                grant.settle(Usage(really, really, 0))  # type: ignore[attr-defined]
                beyond += max(0, really - reserved)
            grant.release()  # type: ignore[attr-defined]
            flows.append((now_s, really - reserved if end == "settle" else -reserved, 0.0))
    for start, (since_s, _, _) in enumerate(flows):
        total = 0.0
        for until_s, taken, _ in flows[start:]:
            total += taken
            assert total <= 1_000 + (until_s - since_s) * 1_000 / 60 + beyond + 0.1
    assert desk.limiter.open_grants == len(open_)


def test_only_so_many_are_tracked() -> None:
    """The one not seen for longest is forgotten, and begins again with a full minute."""
    desk = Desk(LimitRules(tracked_accounts=2))
    for account in ("a", "b", "a", "c"):
        desk.clock.advance(0.001)
        with desk.reserved(Estimate(100, 100, 10), account=account) as grant:
            grant.settle(Usage(100, 0, 10))
    assert desk.left(account="a")[0] == 800
    assert desk.limiter.reading("b", "m") is None


@given(st.floats(0, 1e9), st.lists(st.tuples(st.floats(0, 70), st.integers(1, 100)), min_size=1, max_size=11))
def test_no_use_is_lost_at_the_ends_of_minutes(start_s: float, steps: list[tuple[float, int]]) -> None:
    """Whenever requests end, also at the very edge of a minute, all that they have used is in what is written down."""
    desk = Desk()
    desk.clock.advance(start_s)
    used = 0
    for pause_s, tokens in [*steps, (0.0, 1)]:
        now_s = desk.clock.monotonic_s()
        edge_s = desk.limiter._calendar.begins_s(desk.limiter._calendar.minute(now_s) + 1)
        desk.clock.advance(max(0.0, edge_s - now_s) if pause_s > 60 else pause_s)
        with desk.reserved(Estimate(0, 0, 0)) as grant:
            grant.settle(Usage(tokens, 0, 0))
        used += tokens
    state = desk.limiter._accounts["acme"].models["m"].state
    in_samples = sum(peak.tokens_per_minute for peak in state.prompt.peaks) * 15
    assert state.prompt.sample_tokens + in_samples == pytest.approx(used)
