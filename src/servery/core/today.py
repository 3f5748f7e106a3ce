"""The day that it is, reckoned once a day."""

from datetime import date
from typing import Final

from servery.core.clock import utc_date

_DAY_NS: Final = 86_400 * 1_000_000_000


class Today:
    """For who asks with each request: making a date costs more than asking for it."""

    __slots__ = ("_date", "_day")

    def __init__(self) -> None:
        self._day = 0
        self._date = utc_date(0)

    def at(self, wall_ns: int) -> date:
        """The day of ``wall_ns`` in UTC."""
        day = wall_ns // _DAY_NS
        if day != self._day:
            self._day, self._date = day, utc_date(wall_ns)
        return self._date
