"""Billing months."""

import pytest

from servery.billing.billing_month import BillingMonth

DECEMBER = BillingMonth.parse("2026-12")


def test_a_month_is_its_own_text() -> None:
    """Written as it is read; December is followed by January."""
    assert str(DECEMBER) == "2026-12"
    assert str(DECEMBER.next) == "2027-01"
    assert BillingMonth(DECEMBER.number) < DECEMBER.next


def test_a_month_begins_and_ends_at_midnight_utc() -> None:
    """The first nanosecond belongs to it, that of the next month does not."""
    assert BillingMonth.of(DECEMBER.start_ns) == DECEMBER
    assert BillingMonth.of(DECEMBER.start_ns - 1) == BillingMonth.parse("2026-11")
    assert BillingMonth.of(DECEMBER.end_ns - 1) == DECEMBER
    assert DECEMBER.end_ns - DECEMBER.start_ns == 31 * 86_400 * 10**9


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "202612", "", "2026-11-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    """With a sentence that shows one."""
    with pytest.raises(ValueError, match="such as 2026-11"):
        BillingMonth.parse(text)
