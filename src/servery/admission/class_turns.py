"""Those who wait, by class: whose turn it is, who gives way, and how long a newcomer would wait.

Priority goes first, but for Standard's floor. For each work that Priority is sent while Standard waits, Standard earns
floor / (1 - floor) of it; what has earned the work of its next request sends that one before Priority. All that
Standard is sent counts against that, also while no Priority waits: who gets its floor in any case goes before nobody.
What it is sent beyond its floor is owed back, so that nobody goes before a Priority because a few of that come in a
row; but no more than it earns in two seconds in which only Priority is sent: for longer nobody waits for that.
"""

from typing import Final

from servery.admission.fair_line import FairLine
from servery.admission.service_rate import ServiceRate
from servery.admission.ticket import Ticket
from servery.core.serving_path import ServingClass

_LEAST_SHARE: Final = 0.01
_OWED_BACK_S: Final = 2.0


class ClassTurns:
    """``standard_floor`` is a share, from 0 to less than 1."""

    __slots__ = ("_credit", "_floor", "_most_owed_s", "batch", "priority", "standard")

    def __init__(self, *, standard_floor: float) -> None:
        self.priority = FairLine()
        self.standard = FairLine()
        self.batch = FairLine()
        self._floor = standard_floor
        self._credit = 0.0
        self._most_owed_s = _OWED_BACK_S * standard_floor / (1.0 - standard_floor)

    @property
    def online(self) -> int:
        """How many wait for whom somebody waits."""
        return self.priority.count + self.standard.count

    @property
    def waiting(self) -> int:
        return self.priority.count + self.standard.count + self.batch.count

    def line(self, serving_class: ServingClass) -> FairLine:
        match serving_class:
            case ServingClass.PRIORITY:
                return self.priority
            case ServingClass.STANDARD:
                return self.standard
            case ServingClass.BATCH:
                return self.batch

    def next(self) -> Ticket | None:
        """Whose turn it is."""
        if self.priority.count:
            standard = self.standard.first()
            return standard if standard is not None and self.is_owed(standard) else self.priority.first()
        if self.standard.count:
            return self.standard.first()
        return self.batch.first() if self.batch.count else None

    def is_owed(self, ticket: Ticket) -> bool:
        """Whether ``ticket``, of Standard, may go by its floor."""
        return self._credit >= ticket.work

    def take(self, ticket: Ticket, rate: ServiceRate) -> None:
        """``ticket``, whose turn it is, goes. It is entitled to that where it goes before a Priority. ``rate`` is the
        pool's."""
        serving_class = ticket.demand.serving_class
        if serving_class is ServingClass.PRIORITY and self.standard.count:
            self._credit += ticket.work * self._floor / (1.0 - self._floor)
        ticket.is_entitled = serving_class is ServingClass.STANDARD and self.priority.count > 0
        if serving_class is ServingClass.STANDARD:
            credit = self._credit - ticket.work
            if credit < 0.0:
                least = -self._most_owed_s * (rate.work_per_s or 0.0)
                self._credit = credit if credit > least else least
            else:
                self._credit = credit
        self.line(serving_class).take_first()
        self._forget_credit()

    def remove(self, ticket: Ticket) -> None:
        """``ticket`` waits no more, and does not go."""
        self.line(ticket.demand.serving_class).remove(ticket)
        self._forget_credit()

    def gives_way(self, *, queue_limit: int) -> Ticket:
        """Whom a queue that is too long is rid of: the lowest class's, but Standard keeps its floor of the queue."""
        if self.batch.count:
            return self.batch.last()
        if self.standard.count > int(self._floor * queue_limit) or not self.priority.count:
            return self.standard.last()
        return self.priority.last()

    def wait_s(self, ticket: Ticket, rate: ServiceRate, work_per_s: float) -> float:
        """How long ``ticket`` would wait if it came now: the work ahead of it over the rate at which its class is
        served, of ``work_per_s`` in all."""
        serving_class, steadiness = ticket.demand.serving_class, rate.steadiness
        if serving_class is ServingClass.PRIORITY:
            share = 1.0 - self._floor if self.standard.count else 1.0
            return self.priority.work_ahead(ticket, steadiness=steadiness) / (work_per_s * share)
        # Priority that comes later goes before it too, so only what Priority leaves counts.
        left_per_s = work_per_s * max(1.0 - rate.priority_share, self._floor, _LEAST_SHARE)
        ahead_s = self.priority.work / work_per_s
        if serving_class is ServingClass.STANDARD:
            return ahead_s + self.standard.work_ahead(ticket, steadiness=steadiness) / left_per_s
        return ahead_s + (self.standard.work + self.batch.work_ahead(ticket)) / left_per_s

    def _forget_credit(self) -> None:
        """What is not waited for is not saved up; what is owed is."""
        if not self.standard.count and self._credit > 0.0:
            self._credit = 0.0

    def check_integrity(self) -> None:
        for line in (self.priority, self.standard, self.batch):
            line.check_integrity()
        assert self.standard.count or self._credit <= 0.0, "who does not wait saves nothing up"
