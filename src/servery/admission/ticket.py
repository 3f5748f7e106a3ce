"""One request at a pool's door, and what becomes of it.

waiting ──> admitted ──> left
  │  ^         │
  │  └─ recalled        a Priority needs its room; it waits again at its old place once its engine has been stopped
  └───> shed            refused, for the reason in ``outcome``
"""

from enum import StrEnum
from typing import Final

from servery.admission.crowding import Heard
from servery.admission.demand import Demand
from servery.fleet.replica import Replica

_NOBODY: Final[frozenset[str]] = frozenset()


class TicketState(StrEnum):
    """See above. A ticket may leave from any state."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    RECALLED = "recalled"
    SHED = "shed"
    LEFT = "left"


class AdmissionOutcome(StrEnum):
    """How an attempt to enter ended; also the metric's label."""

    DISPATCHED = "dispatched"
    SHED_CAPACITY = "shed_capacity"
    SHED_PREDICTED_WAIT = "shed_predicted_wait"
    DISPLACED = "displaced"
    EXPIRED = "expired"
    CLIENT_GONE = "client_gone"


class Ticket:
    """``replica`` is where it went, None before and once it waits again. ``retry_after_s`` is set when it is shed.
    ``work`` is the demand's, set when it has to wait. ``avoided`` are replicas that have failed it, each with its
    incarnation. The rest is the queue's own.

    Most find room at once, and one is made for each request: so what only the others need stands on the class until it
    is set.
    """

    outcome: AdmissionOutcome | None = None
    replica: Replica | None = None
    retry_after_s: float = 0.0
    work: float = 0.0
    recalls: int = 0
    avoided: tuple[tuple[Replica, int], ...] = ()
    charged: float = 0.0
    period: int = 0
    held_at: Replica | None = None
    is_entitled: bool = False
    is_unanswered: bool = False
    sent_s: float = 0.0
    heard: Heard | None = None

    def __init__(self, demand: Demand, *, may_be_recalled: bool = False) -> None:
        self.state = TicketState.WAITING
        self.demand = demand
        self.may_be_recalled = may_be_recalled
        self.resident_tokens = demand.resident_tokens

    @property
    def avoided_names(self) -> frozenset[str]:
        """Those of the replicas that have failed it, be they fresh engines by now."""
        return frozenset([replica.name for replica, _ in self.avoided]) if self.avoided else _NOBODY

    def avoid(self, replica: Replica) -> None:
        """It has failed the request, which waits for another from now on, or for a fresh engine in its place."""
        self.avoided += ((replica, replica.incarnation),)

    def avoids(self, replica: Replica) -> bool:
        return any(one is replica and incarnation == replica.incarnation for one, incarnation in self.avoided)
