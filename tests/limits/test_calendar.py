"""Minutes that pass steadily."""

from servery.core.clock import ManualClock
from servery.limits.calendar import Calendar


class SetClock(ManualClock):
    """A clock whose wall can be set while the monotonic one goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.set_by_ns


def test_minutes_are_those_of_the_wall() -> None:
    """Numbered from the Unix epoch, each beginning where the last one ends."""
    clock = ManualClock(wall_ns=1_800_000_000_000_000_000)
    calendar = Calendar(clock)
    assert calendar.minute(clock.monotonic_s()) == 30_000_000
    clock.advance(59.9)
    assert calendar.minute(clock.monotonic_s()) == 30_000_000
    clock.advance(0.2)
    assert calendar.minute(clock.monotonic_s()) == 30_000_001
    assert calendar.minute(calendar.begins_s(30_000_001) + 0.001) == 30_000_001
    assert calendar.minute(calendar.begins_s(30_000_001) - 0.001) == 30_000_000


def test_a_wall_clock_that_is_set_moves_no_minute() -> None:
    """Neither years ahead nor back."""
    clock = SetClock()
    calendar = Calendar(clock)
    for years in (10, -20, 1_000):
        clock.set_by_ns = years * 365 * 86_400 * 1_000_000_000
        clock.advance(60)
    assert calendar.minute(clock.monotonic_s()) == 30_000_003
