"""The platform's own queue, in the simulator: what its gate is to the event loop."""

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

from servery.admission.demand import Demand
from servery.admission.policy import AdmissionPolicy
from servery.admission.pool_queue import PoolQueue
from servery.admission.speed_control import SpeedControl, Stream
from servery.admission.ticket import AdmissionOutcome, Ticket, TicketState
from servery.core.serving_path import ServingClass
from servery.core.usage import Usage
from servery.core.work_weights import WorkWeights
from servery.fleet.replica import Replica
from servery.simulation.agenda import Agenda
from servery.simulation.policies.door import Visitor
from servery.simulation.simulated_pool import SimulatedPool
from servery.simulation.tally import Ending

_ENDINGS: Final = {
    AdmissionOutcome.SHED_CAPACITY: Ending.SHED_CAPACITY,
    AdmissionOutcome.SHED_PREDICTED_WAIT: Ending.SHED_PREDICTED_WAIT,
    AdmissionOutcome.DISPLACED: Ending.DISPLACED,
    AdmissionOutcome.EXPIRED: Ending.EXPIRED,
}


class ServeryDoor:
    """``weights`` are those of the pool's Standard price. ``target`` is what its streams are promised, in tokens per
    second, where anything is."""

    def __init__(
        self,
        pool: SimulatedPool,
        agenda: Agenda,
        *,
        policy: AdmissionPolicy,
        weights: WorkWeights,
        target: float | None = None,
    ) -> None:
        self._agenda = agenda
        self._speed = None if target is None else SpeedControl(target=target)
        self._streams: dict[Visitor, Stream] = {}
        self._policy = policy
        self._weights = weights
        self._queue = PoolQueue(pool.pool, queue_limit=pool.described.queue, policy=policy)
        self._visitors: dict[Ticket, Visitor] = {}
        self._tickets: dict[Visitor, Ticket] = {}
        self._to_tell: deque[Ticket] = deque()
        self._telling = False
        self._looks_s = inf
        pool.pool.listen(self._room_changed)

    @property
    def waiting(self) -> int:
        return self._queue.waiting

    def arrive(self, visitor: Visitor) -> None:
        ticket = Ticket(self._demand(visitor), may_be_recalled=True)
        self._visitors[ticket] = visitor
        self._tickets[visitor] = ticket
        changed = self._queue.enter(ticket, self._now_s())
        self._tell([ticket, *changed])
        if ticket.state is TicketState.WAITING and ticket.demand.serving_class is not ServingClass.BATCH:
            self._agenda.after(self._policy.wait_limit_s, lambda: self._expire(ticket))

    def seated(self, visitor: Visitor, replica: Replica) -> None:
        self._tickets[visitor].replica = replica

    def first_token(self, visitor: Visitor) -> None:
        ticket = self._tickets[visitor]
        self._tell(self._queue.first_byte(ticket, self._now_s(), visitor))
        if self._speed is not None and ticket.replica is not None:
            self._streams[visitor] = self._speed.begin(ticket.replica, visitor, self._now_s())

    def again(self, visitor: Visitor) -> None:
        ticket = self._tickets[visitor]
        changed = self._queue.come_back(ticket, self._now_s())
        self._tell([ticket, *changed])

    def leave(self, visitor: Visitor, usage: Usage | None) -> None:
        ticket = self._tickets.pop(visitor)
        del self._visitors[ticket]
        if self._speed is not None and (stream := self._streams.pop(visitor, None)) is not None:
            self._speed.end(stream, self._now_s())
        work = None if usage is None else self._weights.work(usage)
        self._tell(self._queue.leave(ticket, self._now_s(), work=work))

    def _demand(self, visitor: Visitor) -> Demand:
        request, estimate = visitor.request, visitor.estimate
        return Demand(
            account=request.account,
            serving_class=visitor.serving_class,
            prompt_tokens=estimate.prompt_tokens,
            uncached_prompt_tokens=estimate.uncached_prompt_tokens,
            generated_tokens=estimate.generated_tokens,
            weights=self._weights,
            session=request.session,
        )

    def _tell(self, tickets: Iterable[Ticket]) -> None:
        """One after another: who is told may change the queue, which then has more to tell."""
        self._to_tell.extend(tickets)
        if self._telling:
            return
        self._telling = True
        while self._to_tell:
            self._tell_one(self._to_tell.popleft())
        self._telling = False
        if self._queue.look_again_s < self._looks_s:
            self._looks_s = self._queue.look_again_s
            self._agenda.at(self._looks_s, self._look)

    def _tell_one(self, ticket: Ticket) -> None:
        visitor = self._visitors.get(ticket)
        if visitor is None:
            return  # it has left meanwhile
        match ticket.state:
            case TicketState.ADMITTED if ticket.replica is None:
                self._queue.redeem(ticket)
                visitor.admitted()
            case TicketState.RECALLED:
                if ticket.replica is not None:
                    visitor.called_back()
                self.again(visitor)
            case TicketState.SHED:
                del self._visitors[ticket], self._tickets[visitor]
                assert ticket.outcome is not None, "who is shed is told why"
                visitor.refused(_ENDINGS[ticket.outcome], ticket.retry_after_s)
            case _:
                pass  # told already, or it waits again

    def _expire(self, ticket: Ticket) -> None:
        self._tell([*self._queue.expire(ticket, self._now_s()), ticket])

    def _room_changed(self) -> None:
        self._tell(self._queue.room_changed(self._now_s()))

    def _look(self) -> None:
        self._looks_s = inf
        self._tell(self._queue.time_passed(self._now_s()))

    def _now_s(self) -> float:
        return self._agenda.clock.now_s
