"""Minutes since the Unix epoch that pass steadily, whatever happens to the machine's clock."""

from servery.core.clock import Clock


class Calendar:
    """Takes the date from the wall once and counts on by the monotonic clock: a clock that is set in between does
    neither age limits nor make them young."""

    def __init__(self, clock: Clock) -> None:
        self._ahead_s = clock.wall_ns() / 1e9 - clock.monotonic_s()

    def minute(self, now_s: float) -> int:
        """The minute in which the monotonic reading ``now_s`` lies."""
        return int((now_s + self._ahead_s) // 60)

    def begins_s(self, minute: int) -> float:
        """The monotonic reading at which ``minute`` begins."""
        return minute * 60 - self._ahead_s
