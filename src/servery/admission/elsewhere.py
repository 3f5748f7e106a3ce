"""Those whom a replica has failed, and who wait for a place at another.

They were inside before those who wait in line, so they go before them, though not before a higher class. Nobody waits
behind them: the room that comes up at a replica which has failed them is for others.
"""

from servery.admission.class_turns import ClassTurns
from servery.admission.ticket import Ticket
from servery.core.serving_path import ServingClass
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool


class Elsewhere:
    """No more than were inside of ``pool``; the highest class first, and who came first in it. ``headroom``: see
    ``AdmissionPolicy``, of Batch."""

    __slots__ = ("_headroom", "_pool", "_tickets")

    def __init__(self, pool: ReplicaPool, *, headroom: float) -> None:
        self._pool = pool
        self._headroom = headroom
        self._tickets: dict[Ticket, None] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, ticket: object) -> bool:
        return ticket in self._tickets

    def add(self, ticket: Ticket) -> None:
        self._tickets[ticket] = None

    def remove(self, ticket: Ticket) -> None:
        """``ticket`` waits no more, and does not go."""
        del self._tickets[ticket]

    def take(self, turns: ClassTurns) -> tuple[Ticket, Replica] | None:
        """The next who may go, and where there is room for it; it waits no more. None where nobody may go."""
        for ticket in self._in_turn():
            if (replica := self._room_for(ticket, turns)) is not None:
                del self._tickets[ticket]
                return ticket, replica
        return None

    def next(self) -> Ticket | None:
        """Who is the first to go, wherever there is room for it."""
        return next(iter(self._in_turn()), None)

    def count(self, serving_class: ServingClass) -> int:
        """How many wait who go no later than that class."""
        return sum(ticket.demand.serving_class <= serving_class for ticket in self._tickets)

    def _in_turn(self) -> list[Ticket]:
        return sorted(self._tickets, key=lambda ticket: ticket.demand.serving_class)

    def _room_for(self, ticket: Ticket, turns: ClassTurns) -> Replica | None:
        """At once where it has room: the prompts before it there are no reason to wait any longer."""
        tokens, serving_class = ticket.resident_tokens, ticket.demand.serving_class
        is_batch = serving_class is ServingClass.BATCH
        if (is_batch and turns.online) or (serving_class is ServingClass.STANDARD and turns.priority.count):
            return None
        for replica in self._pool.replicas:
            has_room = not ticket.avoids(replica) and replica.has_room_for(tokens)
            if has_room and (not is_batch or replica.occupancy.keeps_free(self._headroom, beside=tokens)):
                return replica
        return None
