"""Prices and when they change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.catalog.price_schedule import PriceSchedule, PriceStep, half
from servery.core.price import Price

OLD, NEW, NEWER = Price(10, 4, 20), Price(12, 6, 24), Price(14, 6, 30)
SCHEDULE = PriceSchedule((PriceStep(0, OLD), PriceStep(100, NEW)))


def test_a_step_begins_at_its_moment() -> None:
    """The moment itself has the new price, the one before it the old."""
    assert SCHEDULE.in_force(99).price == OLD
    assert SCHEDULE.in_force(100).price == NEW
    assert SCHEDULE.in_force(10**18).price == NEW


def test_the_next_change_is_told() -> None:
    """Until the last step has begun."""
    assert SCHEDULE.next_change(99) == PriceStep(100, NEW)
    assert SCHEDULE.next_change(100) is None


def test_a_change_is_put_in_its_place() -> None:
    """Before, between and after what is listed; at the same moment it replaces."""
    assert SCHEDULE.changed_by((PriceStep(50, NEWER),)).in_force(99).price == NEWER
    assert SCHEDULE.changed_by((PriceStep(50, NEWER),)).in_force(100).price == NEW
    assert SCHEDULE.changed_by((PriceStep(100, OLD), PriceStep(100, NEWER))).in_force(100).price == NEWER


def test_half_is_exact_or_refused() -> None:
    """On every dimension, at every step."""
    assert SCHEDULE.halved().in_force(100).price == Price(6, 3, 12)
    with pytest.raises(ValueError, match="finer"):
        half(Price(10, 5, 20))


@given(st.lists(st.integers(0, 50), unique=True, min_size=1).map(sorted), st.integers(0, 60))
def test_the_price_in_force_is_that_of_the_last_step_begun(moments: list[int], now: int) -> None:
    """Whatever the schedule: the same as walking through it."""
    schedule = PriceSchedule(tuple(PriceStep(moment, Price(moment, 0, 0)) for moment in moments))
    begun = [moment for moment in moments if moment <= now] or moments[:1]
    assert schedule.in_force(now).from_ns == begun[-1]
    later = [moment for moment in moments if moment > max(now, begun[-1])]
    following = schedule.next_change(now)
    assert (None if following is None else following.from_ns) == (later[0] if later else None)
