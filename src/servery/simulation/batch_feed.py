"""Where the rows of batch jobs wait, outside the pool's queue."""

from collections import deque
from collections.abc import Callable

from servery.simulation.traces.request import Request


class BatchFeed:
    """Hands rows on in the order in which they came, at most ``at_once`` until one of them is over: the pool's queue is
    for those for whom somebody waits. ``send`` begins a row."""

    __slots__ = ("_at_once", "_rows", "_send", "_sent")

    def __init__(self, *, at_once: int, send: Callable[[Request], None]) -> None:
        self._at_once = at_once
        self._send = send
        self._rows: deque[Request] = deque()
        self._sent = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here and nothing that was handed on is under way."""
        return not self._rows and self._sent == 0

    def add(self, row: Request) -> None:
        self._rows.append(row)
        self._go_on()

    def over(self) -> None:
        """One that was handed on is done."""
        assert self._sent > 0, "only what was sent is over"
        self._sent -= 1
        self._go_on()

    def _go_on(self) -> None:
        while self._rows and self._sent < self._at_once:
            self._sent += 1
            self._send(self._rows.popleft())
