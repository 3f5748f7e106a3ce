"""Reserving on arrival, settling with what was really used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.catalog.token_limits import TokenLimits
from servery.core.clock import ManualClock
from servery.core.errors import LimitExceeded
from servery.core.usage import Usage
from servery.limits import limiter as module
from servery.limits.estimate import Estimate
from servery.limits.limiter import Grant, Limiter, LimitReading

LIMITS = TokenLimits(
    prompt_tokens_per_minute=1_000, uncached_prompt_tokens_per_minute=500, generated_tokens_per_minute=100
)
NOTHING = Estimate(0, 0, 0)


class Desk:
    """One account asking for one model."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limiter = Limiter(self.clock)

    def reserve(self, estimate: Estimate, *, account: str = "acme", counted_as: str = "m") -> "Reservation":
        return Reservation(self, estimate, account, counted_as)

    def left(self, *, account: str = "acme", counted_as: str = "m") -> tuple[int, int, int]:
        with self.reserve(NOTHING, account=account, counted_as=counted_as) as grant:
            return remaining(grant.reading())


class Reservation:
    def __init__(self, desk: Desk, estimate: Estimate, account: str, counted_as: str) -> None:
        self._manager = desk.limiter.reserve(account=account, counted_as=counted_as, limits=LIMITS, estimate=estimate)

    def __enter__(self) -> Grant:
        return self._manager.__enter__()

    def __exit__(self, *error: object) -> bool | None:
        return self._manager.__exit__(*error)  # type: ignore[arg-type]


def remaining(reading: LimitReading) -> tuple[int, int, int]:
    return reading.prompt_remaining, reading.uncached_prompt_remaining, reading.generated_remaining


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_reservation_is_replaced_by_what_was_used(desk: Desk) -> None:
    """During its block the estimate is taken, after it the usage; cached prompt tokens count only for the total."""
    with desk.reserve(Estimate(100, 100, 50)) as grant:
        assert remaining(grant.reading()) == (900, 400, 50)
        grant.settle(Usage(80, 60, 10))
    assert desk.left() == (920, 480, 90)


def test_an_unsettled_reservation_is_given_back(desk: Desk) -> None:
    """Whether its block ends or fails."""
    with desk.reserve(Estimate(100, 100, 50)):
        pass
    with pytest.raises(RuntimeError, match="x"), desk.reserve(Estimate(100, 100, 50)):
        raise RuntimeError("x")
    assert desk.left() == (1_000, 500, 100)


@pytest.mark.parametrize(
    ("taken", "asked", "name", "wait_s"),
    [
        (Estimate(950, 0, 0), Estimate(100, 0, 0), "100 prompt tokens", 3.0),
        (Estimate(450, 450, 0), Estimate(100, 100, 0), "100 uncached prompt tokens", 6.0),
        (Estimate(1, 1, 100), Estimate(1, 1, 50), "50 generated tokens", 30.0),
    ],
)
def test_each_limit_refuses_for_itself(desk: Desk, taken: Estimate, asked: Estimate, name: str, wait_s: float) -> None:
    """Naming what was asked for, and when there will be enough; nothing is taken for a refusal."""
    with desk.reserve(taken) as grant:
        before = remaining(grant.reading())
        with pytest.raises(LimitExceeded, match=name) as refusal, desk.reserve(asked):
            pass
        assert refusal.value.retry_after_s == pytest.approx(wait_s)
        assert remaining(grant.reading()) == before


def test_accounts_and_models_do_not_share_limits(desk: Desk) -> None:
    """A model's Standard and Priority do: they are counted under one name."""
    with desk.reserve(Estimate(1_000, 500, 100)):
        with pytest.raises(LimitExceeded), desk.reserve(Estimate(1, 1, 1)):
            pass
        assert desk.left(account="globex") == (1_000, 500, 100)
        assert desk.left(counted_as="other") == (1_000, 500, 100)


def test_limits_refill_within_a_minute(desk: Desk) -> None:
    """Continuously."""
    with desk.reserve(Estimate(1_000, 500, 100)) as grant:
        grant.settle(Usage(1_000, 500, 100))
    assert desk.left() == (0, 0, 0)
    desk.clock.advance(30)
    assert desk.left() == (500, 250, 50)
    desk.clock.advance(60)
    assert desk.left() == (1_000, 500, 100)


def test_a_long_request_is_not_counted_twice(desk: Desk) -> None:
    """What it used was taken when it was reserved, and has been refilled since."""
    with desk.reserve(Estimate(100, 100, 100)) as grant:
        desk.clock.advance(120)
        grant.settle(Usage(100, 0, 100))
    assert desk.left() == (1_000, 500, 100)


def test_what_was_used_beyond_the_estimate_is_taken_at_the_end(desk: Desk) -> None:
    """Down to below nothing, if need be: later requests wait."""
    with desk.reserve(Estimate(10, 10, 10)) as grant:
        grant.settle(Usage(10, 0, 150))
    assert desk.left()[2] == 0
    with pytest.raises(LimitExceeded) as refusal, desk.reserve(Estimate(1, 1, 10)):
        pass
    assert refusal.value.retry_after_s == pytest.approx(36.0)


TOKENS = st.integers(min_value=0, max_value=400)


@given(st.lists(st.tuples(TOKENS, TOKENS, st.floats(min_value=0, max_value=20)), max_size=30))
def test_what_is_left_is_what_was_not_used(steps: list[tuple[int, int, float]]) -> None:
    """After any sequence, with time passing inside and outside of requests: at least the limit less all use, at most
    that and the refill, and never more than the limit."""
    desk = Desk()
    used = 0
    for estimated, really, pause_s in steps:
        try:
            with desk.reserve(Estimate(estimated, 0, 0)) as grant:
                desk.clock.advance(pause_s)
                grant.settle(Usage(really, really, 0))
                used += really
        except LimitExceeded:
            desk.clock.advance(pause_s)
        refilled = desk.clock.monotonic_s() * 1_000 / 60
        left = desk.left()[0]
        assert max(0, 1_000 - used) <= left + 1
        assert left <= min(1_000, max(0, 1_000 - used + refilled)) + 1


def test_only_so_many_are_tracked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently asked is forgotten, and begins again with a full minute."""
    monkeypatch.setattr(module, "MAX_TRACKED", 2)
    for account in ("a", "b", "a", "c"):
        with desk.reserve(Estimate(100, 100, 10), account=account) as grant:
            grant.settle(Usage(100, 0, 10))
    assert desk.left(account="a")[0] == 800
    assert desk.left(account="b")[0] == 1_000
