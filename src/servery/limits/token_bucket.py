"""A continuously refilled token bucket with reserve and settle. Pure: the time is handed in."""


class TokenBucket:
    """Holds up to ``per_minute`` tokens and gains that many a minute.

    The level may be negative after a settlement: what was really used is always taken, and later requests wait for
    the refill.
    """

    __slots__ = ("_filled_s", "_level", "per_minute")

    def __init__(self, *, per_minute: int, now_s: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._filled_s = now_s

    def remaining(self, now_s: float) -> int:
        """Whole tokens that could be reserved now; never negative."""
        self._fill(now_s)
        return max(0, int(self._level))

    def wait_s(self, tokens: float, now_s: float) -> float:
        """Seconds until ``tokens`` can be reserved; 0 when they can be now. A demand for more than a minute's limit
        waits for a full bucket: it is reserved as much as there can ever be. A demand for none never waits."""
        if tokens <= 0:
            return 0.0
        self._fill(now_s)
        missing = min(tokens, self.per_minute) - self._level
        return max(0.0, missing * 60.0 / self.per_minute)

    def take(self, tokens: float, now_s: float) -> None:
        """Take, or with a negative number give back. Never refuses: ask ``wait_s`` before."""
        self._fill(now_s)
        self._level = min(self._level - tokens, float(self.per_minute))

    def _fill(self, now_s: float) -> None:
        elapsed_s = now_s - self._filled_s
        if elapsed_s <= 0.0:
            return  # a clock that seems to go back fills nothing and takes nothing
        self._filled_s = now_s
        level = self._level + elapsed_s * self.per_minute / 60.0
        self._level = level if level < self.per_minute else float(self.per_minute)
