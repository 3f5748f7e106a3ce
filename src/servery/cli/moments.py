"""Durations and moments as they are typed: ``30d``, ``12h``, ``2026-11-20``."""

import re
from datetime import UTC, date, datetime
from typing import Final

import click

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"^(\d{1,6})([smhdw])$")
_NS_PER_S: Final = 1_000_000_000
_LONGEST_S: Final = 5200 * 604_800
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2261  # nanoseconds of later ones do not fit 64 bits


class DurationNs(click.ParamType[int]):
    """Nanoseconds from a number and one of s, m, h, d, w."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        typed = _DURATION.match(value)
        seconds = 0 if typed is None else int(typed[1]) * _SECONDS[typed[2]]
        if not 0 < seconds <= _LONGEST_S:
            self.fail(f"{value!r} is not a duration such as 30d, 12h or 45m, up to 5200w", param, ctx)
        return seconds * _NS_PER_S


class DayNs(click.ParamType[int]):
    """The first nanosecond of a day (UTC), since the Unix epoch."""

    name = "day"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day such as 2026-11-20", param, ctx)
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            self.fail(f"{value!r} is not in the years from {_FIRST_YEAR} to {_LAST_YEAR}", param, ctx)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _NS_PER_S
