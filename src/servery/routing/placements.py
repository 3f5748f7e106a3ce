"""Placements: why each of the last requests went where it went, kept in memory alone."""

from collections import deque

from servery.routing.seat import Seat
from servery.routing.weighing import Weighing


class Placements:
    """The last ``most`` of them, by the process that made them; another does not know them, and a restart forgets them.

    Adding one costs a reference to what was weighed; it is put in words only when somebody asks. A request has one for
    each of its branches, and for each time that a branch was sent again.
    """

    def __init__(self, *, most: int = 10_000) -> None:
        self._last: deque[Weighing] = deque(maxlen=most)

    def __len__(self) -> int:
        return len(self._last)

    def add(self, request_id: str, branch: int, seat: Seat) -> None:
        weighing = seat.weighing
        weighing.request_id, weighing.branch = request_id, branch
        self._last.append(weighing)

    def of(self, request_id: str) -> list[Weighing]:
        """Those of a request, in their order. Looks through all of them."""
        return [one for one in self._last if one.request_id == request_id]
