"""The bounded queue in front of one pool: Priority before Standard before Batch, first come first served inside each.

Pure: no clock, no I/O. A ticket is admitted at once while the pool has room and nobody waits; else it waits; and when
the queue is full, the newest ticket of the lowest class goes, be it the one that just came.
"""

from collections import deque
from enum import StrEnum

from servery.core.serving_path import ServingClass


class TicketState(StrEnum):
    """What became of a ticket."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    SHED = "shed"
    LEFT = "left"


class Ticket:
    """One request at the door."""

    __slots__ = ("serving_class", "state")

    def __init__(self, serving_class: ServingClass) -> None:
        self.serving_class = serving_class
        self.state = TicketState.WAITING


class PoolQueue:
    """``capacity`` may be in the pool at once and ``queue_limit`` may wait. Methods return the tickets whose state
    they changed, other than the one they were called with. ``inside`` and ``waiting`` are how many are where."""

    def __init__(self, *, capacity: int, queue_limit: int) -> None:
        self._capacity = capacity
        self._queue_limit = queue_limit
        self._waiting: dict[ServingClass, deque[Ticket]] = {one: deque() for one in ServingClass}
        self.inside = 0
        self.waiting = 0

    def waiting_ahead_of(self, serving_class: ServingClass) -> int:
        """How many would go before a newcomer of ``serving_class``."""
        return sum(len(queue) for one, queue in self._waiting.items() if one <= serving_class)

    def enter(self, ticket: Ticket) -> list[Ticket]:
        """Admit, queue or shed ``ticket``."""
        if self.inside < self._capacity and not self.waiting:
            self.inside += 1
            ticket.state = TicketState.ADMITTED
            return []
        self._waiting[ticket.serving_class].append(ticket)
        self.waiting += 1
        if self.waiting <= self._queue_limit:
            return []
        shed = next(queue for queue in reversed(self._waiting.values()) if queue).pop()
        shed.state = TicketState.SHED
        self.waiting -= 1
        return [] if shed is ticket else [shed]

    def leave(self, ticket: Ticket) -> list[Ticket]:
        """``ticket`` is done, or no longer wants to enter."""
        if ticket.state is TicketState.ADMITTED:
            self.inside -= 1
        elif ticket.state is TicketState.WAITING:
            self._waiting[ticket.serving_class].remove(ticket)
            self.waiting -= 1
        ticket.state = TicketState.LEFT
        return self._admit()

    def resize(self, capacity: int) -> list[Ticket]:
        """The pool grew or shrank; who is inside stays inside."""
        self._capacity = capacity
        return self._admit()

    def check_integrity(self) -> None:
        assert self.waiting == sum(map(len, self._waiting.values())), "who waits is counted"
        assert self.inside >= 0, "nobody leaves who did not enter"
        assert self.waiting <= self._queue_limit, "the queue is bounded"
        assert not self.waiting or self.inside >= self._capacity, "nobody waits while there is room"

    def _admit(self) -> list[Ticket]:
        admitted = []
        while self.inside < self._capacity and self.waiting:
            ticket = next(queue for queue in self._waiting.values() if queue).popleft()
            ticket.state = TicketState.ADMITTED
            self.waiting -= 1
            self.inside += 1
            admitted.append(ticket)
        return admitted
