"""Time as a part that is handed in, so that decisions run equally under a server, a test and a simulator."""

import time
from datetime import UTC, date, datetime
from typing import Protocol

_DAY_NS = 86_400 * 1_000_000_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Clock(Protocol):
    """Two readings of time: one to measure with, one to write down."""

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC; may jump when the machine's clock is set."""
        ...


class SystemClock:
    """The machine's own clocks, without a function of ours around them: a request looks at them twenty times."""

    monotonic_s = staticmethod(time.monotonic)
    wall_ns = staticmethod(time.time_ns)


class ManualClock:
    """A clock that moves only when told to; both readings move together, unless its wall is set."""

    def __init__(self, *, wall_ns: int = 1_800_000_000_000_000_000) -> None:
        self._monotonic_s = 0.0
        self._wall_ns = wall_ns

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wall_ns(self) -> int:
        return self._wall_ns

    def advance(self, seconds: float) -> None:
        """Move both readings on by ``seconds`` (>= 0)."""
        assert seconds >= 0, "a clock that is advanced never goes back"
        self._monotonic_s += seconds
        self._wall_ns += round(seconds * 1_000_000_000)

    def set_wall(self, wall_ns: int) -> None:
        """As when the machine's clock is set: the monotonic reading does not notice."""
        self._wall_ns = wall_ns


def rfc3339(wall_ns: int) -> str:
    """``wall_ns`` as an RFC 3339 timestamp in UTC with microseconds, such as ``2026-11-20T18:45:00.000000Z``."""
    seconds, nanoseconds = divmod(wall_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def utc_date(wall_ns: int) -> date:
    """The day of ``wall_ns`` in UTC."""
    return date.fromordinal(_EPOCH_DAY + wall_ns // _DAY_NS)
