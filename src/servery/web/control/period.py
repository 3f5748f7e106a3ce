"""The period that a question about usage is about, and its days."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from servery.core.errors import InvalidRequest
from servery.web.control.moment import wall_ns

LONGEST: Final = timedelta(days=31)


class Period(msgspec.Struct, frozen=True):
    """From ``start`` until just before ``end``."""

    start: datetime
    end: datetime

    @property
    def since_ns(self) -> int:
        return wall_ns(self.start, param="startTime")

    @property
    def until_ns(self) -> int:
        return wall_ns(self.end, param="endTime")

    def days(self, zone: tzinfo) -> Iterator["Period"]:
        """The days of ``zone``, in order; the first and the last are cut to the period."""
        start = self.start
        while start < self.end:
            local = start.astimezone(zone)
            midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), tzinfo=zone)
            end = min(midnight.astimezone(UTC), self.end)
            yield Period(start, end)
            start = end


def period_of(start_text: str | None, end_text: str | None, *, now_ns: int) -> Period:
    """By default up to the end of this second, and as long as is allowed. Raises InvalidRequest."""
    end = datetime.fromtimestamp(now_ns // 1_000_000_000 + 1, UTC)
    end = end if end_text is None else _moment("endTime", end_text)
    wall_ns(end, param="endTime")  # what cannot be told in nanoseconds is refused before anything is made of it
    start = end - LONGEST if start_text is None else _moment("startTime", start_text)
    wall_ns(start, param="startTime")
    if not start < end <= start + LONGEST:
        raise InvalidRequest(f"endTime lies after startTime, by {LONGEST.days} days at most", param="endTime")
    return Period(start.astimezone(UTC), end.astimezone(UTC))


def zone_of(name: str | None) -> tzinfo:
    """UTC unless named otherwise, such as ``Europe/Berlin``. Raises InvalidRequest."""
    if name in {None, "", "UTC"}:
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(f"timezone is a name such as Europe/Berlin, not {name!r}", param="timezone") from None


def shown(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _moment(name: str, text: str) -> datetime:
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{name} is RFC 3339, such as 2026-11-20T00:00:00Z, not {text!r}", param=name) from None
