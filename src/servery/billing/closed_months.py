"""Closed months: those whose invoices are final, and which usage belongs to which month.

A usage record belongs to the month in which its request finished, if that month was still open when the record was
counted; else to the first month that was. When a month is closed, the last record that has been counted is written
down with it, so that the month of every record can be found again later, from the records alone.
"""

from collections.abc import Sequence

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.store.connection import Connection
from servery.store.sql import load_queries


class ClosedMonth(msgspec.Struct, frozen=True):
    """``usage_sequence`` and ``transfer_sequence`` are of the last record and transfer that had been counted."""

    month: BillingMonth
    closed_ns: int
    usage_sequence: int
    transfer_sequence: int


class ClosedMonths:
    """Methods run inside the transaction of whoever calls them."""

    def __init__(self) -> None:
        queries = load_queries("servery.billing", "closed_months.sql")
        self._all = queries["closed_months"]
        self._last = queries["last_closed_month"]
        self._insert = queries["insert_closed_month"]

    def list(self, connection: Connection) -> list[ClosedMonth]:
        """All closed months, earliest first."""
        return [ClosedMonth(BillingMonth(month), *rest) for month, *rest in connection.execute(self._all).fetchall()]

    def first_open(self, connection: Connection) -> BillingMonth:
        """The month after the last that was closed; the beginning of time when none was."""
        (last,) = connection.execute(self._last).fetchone()
        return BillingMonth(0 if last is None else int(last) + 1)

    def add(self, connection: Connection, closed: ClosedMonth) -> None:
        """Close a month for good; the caller has seen to it that all before it are closed."""
        connection.execute(self._insert, {**msgspec.structs.asdict(closed), "month": closed.month.number})


def billing_month_of(own: BillingMonth, sequence: int, marks: Sequence[tuple[BillingMonth, int]]) -> BillingMonth:
    """The month to which something of the month ``own``, counted as number ``sequence``, belongs. ``marks`` are the
    closed months, earliest first, each with the last number that had been counted when it was closed."""
    month = own
    for closed, last_counted in marks:
        if closed == month and sequence > last_counted:
            month = month.next
    return month
