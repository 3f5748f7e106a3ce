"""What happens when: a heap of planned events. Of two at one moment the one planned first happens first."""

from collections.abc import Callable
from heapq import heappop, heappush

from servery.simulation.virtual_clock import VirtualClock

Action = Callable[[], None]


class Agenda:
    """``clock`` is moved to each event's time as it happens."""

    __slots__ = ("_planned", "_sequence", "clock")

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self._planned: list[tuple[float, int, Action]] = []
        self._sequence = 0

    def at(self, moment_s: float, action: Action) -> None:
        """Plan ``action``; for a moment that is past, now."""
        self._sequence += 1
        heappush(self._planned, (moment_s, self._sequence, action))

    def after(self, wait_s: float, action: Action) -> None:
        self.at(self.clock.now_s + wait_s, action)

    def run_until(self, moment_s: float) -> None:
        """All that is planned until then, what is planned meanwhile included; then it is ``moment_s``."""
        planned, clock = self._planned, self.clock
        while planned and planned[0][0] <= moment_s:
            due_s, _, action = heappop(planned)
            clock.now_s = max(clock.now_s, due_s)
            action()
        clock.now_s = max(clock.now_s, moment_s)

    def run_out(self) -> None:
        """Until nothing is planned any more."""
        while self._planned:
            self.run_until(self._planned[0][0])
