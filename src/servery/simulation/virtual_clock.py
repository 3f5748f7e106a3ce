"""The simulator's time: moved by events alone."""

_NANOSECONDS = 1_000_000_000
_BEGINS_NS = 1_800_000_000 * _NANOSECONDS


class VirtualClock:
    """A ``core.clock.Clock``. ``now_s`` is set by the agenda. ``wall_ahead_s`` is how wrong its wall clock is; the
    monotonic one is always right, as such clocks are."""

    __slots__ = ("now_s", "wall_ahead_s")

    def __init__(self) -> None:
        self.now_s = 0.0
        self.wall_ahead_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_ns(self) -> int:
        return _BEGINS_NS + round((self.now_s + self.wall_ahead_s) * _NANOSECONDS)
