"""One request at a pool's door, and what becomes of it.

waiting ──> admitted ──> left
  │  ^         │
  │  └─ recalled        a Priority needs its room; it waits again at its old place once its engine has been stopped
  └───> shed            refused, for the reason in ``outcome``
"""

from enum import StrEnum

from servery.admission.demand import Demand
from servery.fleet.replica import Replica


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
    """``work`` and ``resident_tokens`` are the demand's. ``replica`` is where it went, None before and when that is
    over. ``retry_after_s`` is set when it is shed. The rest is the queue's own."""

    __slots__ = (
        "charged",
        "demand",
        "held_at",
        "is_entitled",
        "may_be_recalled",
        "outcome",
        "period",
        "recalls",
        "replica",
        "resident_tokens",
        "retry_after_s",
        "sent_s",
        "state",
        "work",
    )

    def __init__(self, demand: Demand, *, may_be_recalled: bool = False) -> None:
        self.demand = demand
        self.may_be_recalled = may_be_recalled
        self.work = demand.work
        self.resident_tokens = demand.resident_tokens
        self.state = TicketState.WAITING
        self.outcome: AdmissionOutcome | None = None
        self.retry_after_s = 0.0
        self.replica: Replica | None = None
        self.recalls = 0
        self.charged = 0.0
        self.period = 0
        self.sent_s = 0.0
        self.is_entitled = False
        self.held_at: Replica | None = None
