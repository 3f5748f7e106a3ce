"""How often an account may have something counted."""

import pytest

from servery.core.clock import ManualClock
from servery.core.errors import LimitExceeded
from servery.core.limit_reading import LimitMetric
from servery.limits.aside_limits import AsideLimits
from servery.limits.rules import LimitRules

RULES = LimitRules(requests_per_minute=6, unfunded_requests_per_minute=2, retry_jitter=0.5, tracked_accounts=2)


def limits(clock: ManualClock) -> AsideLimits:
    return AsideLimits(clock, random=lambda: 0.5, rules=RULES)


def room(of: AsideLimits, account: str = "acme", *, funded: bool = True) -> int:
    """How many requests there is room for, once they have been made."""
    for taken in range(100):
        try:
            of.take(account, funded=funded)
        except LimitExceeded:
            return taken
    raise AssertionError("there is no limit")


def test_each_account_has_so_many_in_a_minute() -> None:
    """They come back one by one; who has not paid has few."""
    clock = ManualClock()
    of = limits(clock)
    assert (room(of), room(of, "globex", funded=False)) == (6, 2)
    clock.advance(10.0)
    assert room(of) == 1


def test_a_refusal_says_when_to_come_back() -> None:
    """When there is room for one, and up to half as long again, by chance."""
    of = limits(ManualClock())
    room(of)
    with pytest.raises(LimitExceeded, match=r"6 requests of this kind per minute; retry after 12\.5 s") as refused:
        of.take("acme", funded=True)
    assert refused.value.retry_after_s == 12.5
    assert refused.value.shortage is not None
    assert refused.value.shortage.metric is LimitMetric.REQUESTS


def test_who_was_not_seen_for_longest_is_forgotten() -> None:
    """So that accounts without number need no memory without end."""
    clock = ManualClock()
    of = limits(clock)
    for account in ("acme", "globex", "initech"):
        assert room(of, account) == 6
        clock.advance(0.001)
    assert room(of, "initech") == 0
    assert room(of, "acme") == 6
