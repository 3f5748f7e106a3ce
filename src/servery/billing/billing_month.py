"""Billing months: calendar months of UTC, as one number that counts on."""

import re
from datetime import UTC, date, datetime
from typing import Self

import msgspec

_TEXT = re.compile(r"^(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])$")


class BillingMonth(msgspec.Struct, frozen=True, order=True):
    """``number`` is 12 x year + month - 1, so that months can be kept, compared and counted as integers."""

    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From text such as ``2026-11``. Raises ValueError."""
        parts = _TEXT.match(text)
        if parts is None:
            raise ValueError(f"{text!r} is not a month such as 2026-11")
        return cls(12 * int(parts["year"]) + int(parts["month"]) - 1)

    @classmethod
    def of(cls, wall_ns: int) -> Self:
        """The month in which ``wall_ns`` lies."""
        moment = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
        return cls(12 * moment.year + moment.month - 1)

    @property
    def first_day(self) -> date:
        return date(self.number // 12, self.number % 12 + 1, 1)

    @property
    def start_ns(self) -> int:
        day = self.first_day
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1_000_000_000

    @property
    def end_ns(self) -> int:
        """The first nanosecond after it."""
        return self.next.start_ns

    @property
    def next(self) -> "BillingMonth":
        return BillingMonth(self.number + 1)

    def __str__(self) -> str:
        return f"{self.number // 12:04d}-{self.number % 12 + 1:02d}"
