"""The day, as it is asked for with each request."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from servery.core.clock import utc_date
from servery.core.today import Today

DAY_NS = 86_400 * 1_000_000_000


@given(st.lists(st.integers(0, 40_000 * DAY_NS), max_size=5))
def test_it_is_the_day_of_the_moment_that_is_told(moments_ns: list[int]) -> None:
    """Whichever came before: the wall may be set back."""
    today = Today()
    assert [today.at(moment_ns) for moment_ns in moments_ns] == [utc_date(moment_ns) for moment_ns in moments_ns]


def test_a_day_ends_with_its_last_nanosecond() -> None:
    """In UTC."""
    today = Today()
    assert (today.at(DAY_NS - 1), today.at(DAY_NS)) == (date(1970, 1, 1), date(1970, 1, 2))
