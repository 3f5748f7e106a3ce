"""What was sent and has no first byte yet, or is Batch's: who can be called back for somebody who goes before it."""

from typing import Final

from servery.admission.policy import AdmissionPolicy
from servery.admission.ticket import Ticket, TicketState
from servery.core.serving_path import ServingClass

_RECALLED: Final = TicketState.RECALLED
_STANDARD: Final = ServingClass.STANDARD
_BATCH: Final = ServingClass.BATCH
_CANDIDATES: Final = 8
"""So many that were sent last are looked at; one that makes no room is passed over."""


class Unanswered:
    """Tickets by class, in the order in which they were sent. Nobody has heard of them yet, so that one which is
    stopped and sent again costs nothing but the engine's work on it, which is least where it was sent last. Of Batch
    nobody hears before its end, so that it is called back for a place after its first byte too. ``recalls`` is how
    often one was called back, ``under_way`` how many of those are still inside."""

    __slots__ = ("_batch", "_recall_within_s", "_recalls_per_request", "_standard", "recalls", "under_way")

    def __init__(self, policy: AdmissionPolicy) -> None:
        self.recalls = 0
        self.under_way = 0
        self._recall_within_s = policy.recall_within_s
        self._recalls_per_request = policy.recalls_per_request
        self._batch: dict[Ticket, None] = {}
        self._standard: dict[Ticket, None] = {}

    def __len__(self) -> int:
        return len(self._batch) + len(self._standard)

    def sent(self, ticket: Ticket) -> None:
        """``ticket`` was sent. One that is entitled to its turn, or was called back too often, is left in peace."""
        if ticket.may_be_recalled and not ticket.is_entitled and ticket.recalls < self._recalls_per_request:
            serving_class = ticket.demand.serving_class
            if serving_class is _STANDARD:
                self._standard[ticket] = None
                ticket.is_unanswered = True
            elif serving_class is _BATCH:
                self._batch[ticket] = None
                ticket.is_unanswered = True

    def over(self, ticket: Ticket) -> None:
        """It is not called back any more: its first byte is passed on, or it is gone."""
        if ticket.is_unanswered:
            ticket.is_unanswered = False
            del (self._batch if ticket.demand.serving_class is _BATCH else self._standard)[ticket]

    def recall_for(self, head: Ticket, *, most: int, now_s: float) -> list[Ticket]:
        """Call back at most so many whose room ``head`` could take: Batch first, and Standard only for Priority; the
        last that was sent first."""
        taken: list[Ticket] = []
        if most <= 0:
            return taken
        is_priority = head.demand.serving_class is ServingClass.PRIORITY
        for sent in (self._batch, self._standard) if is_priority else (self._batch,):
            oldest_s = 0.0 if sent is self._batch else now_s - self._recall_within_s
            for ticket in [one for one, _ in zip(reversed(sent), range(_CANDIDATES), strict=False)]:
                if len(taken) < most and ticket.sent_s >= oldest_s and _makes_room(ticket, head):
                    self.over(ticket)
                    ticket.state = _RECALLED
                    ticket.recalls += 1
                    taken.append(ticket)
        self.under_way += len(taken)
        self.recalls += len(taken)
        return taken


def _makes_room(ticket: Ticket, head: Ticket) -> bool:
    """Whether ``head`` could go where ``ticket`` is, if that were not."""
    replica = ticket.replica
    if replica is None or not replica.is_ready or not replica.circuit.is_closed or head.avoids(replica):
        return False
    occupancy = replica.occupancy
    if ticket.heard is not None and replica.has_room_for(head.resident_tokens):
        return False  # its prompt is computed, and it is prompts that are waited for there
    if occupancy.sequences == 1:
        return True
    limit = occupancy.tokens_limit
    tokens = occupancy.used_tokens - ticket.resident_tokens + head.resident_tokens
    return occupancy.busy_sequences <= occupancy.sequences_limit and (limit is None or tokens <= limit)
