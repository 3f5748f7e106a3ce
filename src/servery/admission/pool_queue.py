"""The bounded queue in front of one pool: who goes next, who gives way, who is refused. Pure: no clock, no I/O.

A request goes at once while there is room and nobody waits who goes before it. Else it waits here, not in an engine,
because only here can its turn still be changed. As room comes up:

    Priority   first, but for Standard's floor (``class_turns``)
    Standard   else
    Batch      when nobody else waits, and only into replicas that keep some room beside it

and inside a class accounts take turns (``fair_line``). Nobody overtakes the next in line because it is smaller, so a
large request is not starved by small ones. Whom a replica has failed waits apart, for another (``elsewhere``). When
there is no room for the next in line, what was sent last for a lower class and has no first byte yet may be called back
(``unanswered``). When the queue is full, the newest of whoever is furthest over its share gives way, Batch before
Standard before Priority. Who would wait too long is refused on arrival (``shedding``).
"""

from math import inf
from typing import Final

from servery.admission.batch_share import BatchShare
from servery.admission.class_turns import ClassTurns
from servery.admission.crowding import Crowding, places_left
from servery.admission.elsewhere import Elsewhere
from servery.admission.policy import AdmissionPolicy
from servery.admission.service_rate import ServiceRate, replicas_kept
from servery.admission.shedding import Lots, chance_of_shedding
from servery.admission.speed_control import Counted
from servery.admission.ticket import AdmissionOutcome, Ticket, TicketState
from servery.admission.unanswered import Unanswered
from servery.core.serving_path import ServingClass
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool

# Looked up for each request; from its class a member comes a good deal slower.
_WAITING: Final = TicketState.WAITING
_ADMITTED: Final = TicketState.ADMITTED
_RECALLED: Final = TicketState.RECALLED
_SHED: Final = TicketState.SHED
_LEFT: Final = TicketState.LEFT
_PRIORITY: Final = ServingClass.PRIORITY
_STANDARD: Final = ServingClass.STANDARD
_BATCH: Final = ServingClass.BATCH
_DISPATCHED: Final = AdmissionOutcome.DISPATCHED

_PLACE_TOKENS_PER_S: Final = 200.0
"""What a place is taken to generate until it is known what it does: quick, so that nobody is refused for a guess."""
_LEAST_RETRY_S: Final = 1.0
_MOST_RETRY_S: Final = 60.0
_LEAST_LOOK_S: Final = 0.002
_MOST_KEPT: Final = 0.5
_KEPT_FOR_S: Final = 2.0
"""How long after the last of Priority places are kept for the next."""


class PoolQueue:
    """At most ``queue_limit`` tickets wait for the replicas of ``pool``, beside those that come back. ``inside`` is how
    many are there.

    Methods return the tickets whose state they changed, other than the one they were called with. Each admitted one has
    its room held until ``redeem``; each recalled one must have its engine stopped and be given to ``come_back``, or
    leave. At ``look_again_s`` somebody may go in though nothing has happened: then ``time_passed`` is to be called; inf
    when there is no such moment. ``now_s`` is a monotonic reading, ``hour_offset_s`` what is added to it to tell the
    hour of the day.
    """

    def __init__(
        self, pool: ReplicaPool, *, queue_limit: int, policy: AdmissionPolicy, hour_offset_s: float = 0.0
    ) -> None:
        self.inside = 0
        self.look_again_s = inf
        self.rate = ServiceRate()
        self.crowding = Crowding()
        self._pool = pool
        self._queue_limit = queue_limit
        self._policy = policy
        self._hour_offset_s = hour_offset_s
        self._turns = ClassTurns(standard_floor=policy.standard_floor)
        self._elsewhere = Elsewhere(pool, headroom=policy.batch_headroom)
        self._unanswered = Unanswered(policy)
        self._batch = BatchShare(most_headroom=policy.batch_headroom)
        self._reserved = 0
        self._kept_until_s = -inf
        self._looked_for_tokens = 0.0
        self._ahead_s = policy.prefill_ahead_s
        self._ready_for = (0, 0, 0.0)
        self._measure()
        self._lots = Lots()

    @property
    def waiting(self) -> int:
        return self._turns.waiting + len(self._elsewhere)

    @property
    def recalls(self) -> int:
        """How often one was called back."""
        return self._unanswered.recalls

    def enter(self, ticket: Ticket, now_s: float) -> list[Ticket]:
        """Admit, queue or shed ``ticket``; its seat is taken as that of any other that was admitted."""
        turns, serving_class = self._turns, ticket.demand.serving_class
        if serving_class is _PRIORITY:
            self._kept_until_s = now_s + _KEPT_FOR_S
        may_go = not (turns.priority.count or turns.standard.count) and serving_class is not _BATCH
        if may_go and self._room_for(ticket, None, now_s) is not None:
            self._let_in(ticket, now_s)  # not held: nothing comes between this and its seat
            return []
        ticket.work = ticket.demand.work
        wait_s = self._wait_s(ticket)
        if self._is_refused(ticket, wait_s, now_s):
            self._shed(ticket, AdmissionOutcome.SHED_PREDICTED_WAIT, wait_s)
            return []
        turns.line(serving_class).push(ticket)
        self._see_waiting(now_s)
        head = turns.next()
        assert head is not None, "somebody waits"
        if head is ticket:
            changed = self._admit(now_s)
        else:  # nothing has changed for the next in line; but one more may be worth a recall
            changed = self._recall_for(head, now_s) if serving_class is _PRIORITY else []
        if turns.waiting > self._queue_limit:
            blocked = turns.next()
            changed.append(self._make_way(ticket))
            if turns.next() is not blocked:
                changed += self._admit(now_s)
        return [one for one in changed if one is not ticket]

    def enter_beside(self, ticket: Ticket, other: Replica, now_s: float) -> bool:
        """Admit ``ticket`` if nobody waits and another replica than ``other`` has room for it; else do nothing. It
        takes its seat in this very step."""
        is_batch = ticket.demand.serving_class is _BATCH
        if is_batch or self._turns.online or self._room_for(ticket, None, now_s) is None:
            return False
        ahead_s, tokens = self._policy.prefill_ahead_s, ticket.resident_tokens
        replicas = (one for one in self._pool.replicas if one is not other)
        if not any(one.takes(tokens, now_s=now_s, ahead_s=ahead_s) for one in replicas):
            return False
        self._let_in(ticket, now_s)
        return True

    def redeem(self, ticket: Ticket) -> None:
        """``ticket`` takes its seat in this very step: the room that was held for it is free for that."""
        if ticket.held_at is not None:
            prefill_tokens = ticket.demand.uncached_prompt_tokens
            ticket.held_at.occupancy.release(ticket.resident_tokens, prefill_tokens=prefill_tokens)
            ticket.held_at = None

    def first_byte(self, ticket: Ticket, now_s: float, count: Counted | None = None) -> list[Ticket]:
        """The first byte of its answer is passed on: from now on it cannot be called back; and its prompt is computed,
        so that the next can be sent. ``count``: of a stream. Nobody watches Batch, which may still be called back."""
        if ticket.demand.serving_class is not _BATCH:
            self._unanswered.over(ticket)
        if count is not None:
            ticket.heard = self.crowding.begin(count, now_s)
        return self._admit(now_s, first=ticket.replica) if self.waiting else []

    def time_passed(self, now_s: float) -> list[Ticket]:
        """It is ``look_again_s``, or later."""
        self.look_again_s = inf
        return self._admit(now_s)

    def leave(self, ticket: Ticket, now_s: float, *, work: float | None = None) -> list[Ticket]:
        """``ticket`` is done, its seat free, or it no longer wants to enter. ``work`` is what it really was."""
        state, ticket.state = ticket.state, _LEFT
        if state is _WAITING:
            self._take_out(ticket)
            return self._admit(now_s)  # the next in line may be smaller
        if state is _ADMITTED or state is _RECALLED:
            if self._turns.online and ticket.demand.serving_class is not _BATCH:
                self._see_waiting(now_s)
                self.rate.done(ticket.work or ticket.demand.work)
            self._let_out(ticket, state, now_s)
            if ticket.heard is not None:
                self.crowding.end(ticket.heard, places=self._places, replicas=self._replicas, now_s=now_s)
            if work is not None and ticket.charged:
                self._turns.line(ticket.demand.serving_class).correct(ticket, work)
            return self._admit(now_s, first=ticket.replica) if self.waiting else []
        return []

    def come_back(self, ticket: Ticket, now_s: float) -> list[Ticket]:
        """``ticket`` was admitted or recalled, its seat is free again, and it wants another at its old place; where it
        avoids replicas, one elsewhere."""
        state, ticket.state = ticket.state, _WAITING
        assert state is _ADMITTED or state is _RECALLED, "only who was inside comes back"
        self._let_out(ticket, state, now_s)
        freed, ticket.replica, ticket.heard = ticket.replica, None, None
        ticket.work = ticket.demand.work
        only_freed = freed if self._turns.waiting else None  # where nobody waited, nobody has looked at the others
        if ticket.avoided:
            self._elsewhere.add(ticket)
        else:
            self._turns.line(ticket.demand.serving_class).put_back(ticket)
            self._see_waiting(now_s)
        return [one for one in self._admit(now_s, first=only_freed) if one is not ticket]

    def expire(self, ticket: Ticket, now_s: float) -> list[Ticket]:
        """``ticket``, if it still waits, has waited for too long."""
        if ticket.state is not _WAITING:
            return []
        wait_s = self._wait_s(ticket)
        self._take_out(ticket)
        self._shed(ticket, AdmissionOutcome.EXPIRED, wait_s)
        return self._admit(now_s)

    def room_changed(self, now_s: float) -> list[Ticket]:
        """A replica came, went, or has other limits."""
        self._measure()
        return self._admit(now_s)

    def predicted_wait_s(self, ticket: Ticket) -> float:
        """How long ``ticket`` would wait if it came now; 0 where that is not known."""
        ticket.work = ticket.demand.work
        return self._wait_s(ticket)

    def check_integrity(self) -> None:
        self._turns.check_integrity()
        assert self.inside >= len(self._unanswered), "who may be called back is inside"
        assert 0 <= self._unanswered.under_way <= self.inside, "who is called back is inside until it comes"
        assert 0 <= self._batch.inside <= self.inside, "Batch is inside like others"

    # Its own

    def _wait_s(self, ticket: Ticket) -> float:
        """How long ``ticket``, whose work is set, would wait if it came now."""
        rate, free = self.rate, self._places - self.inside
        if free < self._turns.online:
            place_per_s = ticket.demand.weights.generated * _PLACE_TOKENS_PER_S
            work_per_s = rate.when_full(places=self._places, work=ticket.work, place_per_s=place_per_s)
        elif (sent := rate.work_per_s) is not None:
            work_per_s = sent
        else:
            return 0.0
        return self._turns.wait_s(ticket, rate, work_per_s)

    def _measure(self) -> None:
        """What of the pool changes only with its replicas' states and limits."""
        self._places = self._pool.capacity
        self._replicas = sum(one.capacity > 0 for one in self._pool.replicas)
        self._make_ready_for_priority()
        self._counts_tokens = any(one.occupancy.tokens_limit is not None for one in self._pool.replicas)

    def _is_refused(self, ticket: Ticket, wait_s: float, now_s: float) -> bool:
        demand = ticket.demand
        chance = chance_of_shedding(wait_s, self._policy.budget_s(demand.serving_class))
        return chance > 0.0 and self._lots.of(demand.account, demand.session, now_s + self._hour_offset_s) < chance

    def _shed(self, ticket: Ticket, outcome: AdmissionOutcome, wait_s: float) -> None:
        ticket.state = _SHED
        ticket.outcome = outcome
        if self.rate.work_per_s is None:  # nothing is known: as long as anybody would be let wait
            wait_s = max(wait_s, self._policy.standard_budget_s)
        ticket.retry_after_s = min(max(wait_s, _LEAST_RETRY_S), _MOST_RETRY_S)

    def _see_waiting(self, now_s: float) -> None:
        """The rate is that of times in which somebody waits; Batch always does."""
        if self._turns.online:
            self.rate.waiting(now_s)
        else:
            self.rate.nobody_waits()

    def _let_in(self, ticket: Ticket, now_s: float) -> None:
        ticket.state = _ADMITTED
        ticket.outcome = _DISPATCHED
        ticket.sent_s = now_s
        self.inside += 1
        self.crowding.inside(self.inside, now_s)
        self._unanswered.sent(ticket)

    def _let_in_at(self, ticket: Ticket, replica: Replica, now_s: float) -> None:
        """Its room is held there until it takes its seat."""
        replica.occupancy.hold(ticket.resident_tokens, prefill_tokens=ticket.demand.uncached_prompt_tokens)
        ticket.held_at = replica
        if ticket.demand.serving_class is _BATCH:  # which always comes this way
            self._batch.inside += 1
        self._let_in(ticket, now_s)

    def _let_out(self, ticket: Ticket, state: TicketState, now_s: float) -> None:
        self.inside -= 1
        self.crowding.inside(self.inside, now_s)
        if ticket.demand.serving_class is _BATCH:
            self._batch.inside -= 1
        if state is _RECALLED:
            self._unanswered.under_way -= 1
        if ticket.held_at is not None:
            self.redeem(ticket)
        self._unanswered.over(ticket)

    def _take_out(self, ticket: Ticket) -> None:
        """It waits no more, and does not go in."""
        if ticket in self._elsewhere:
            self._elsewhere.remove(ticket)
            self._turns.line(ticket.demand.serving_class).correct(ticket, 0.0)
            return
        self._turns.remove(ticket)
        if not self._turns.online:
            self.rate.nobody_waits()

    def _make_way(self, newcomer: Ticket) -> Ticket:
        """Shed whoever must give way for ``newcomer``, which it may be itself."""
        ticket = self._turns.gives_way(queue_limit=self._queue_limit)
        wait_s = self._wait_s(ticket)
        self._take_out(ticket)
        is_newcomer = ticket is newcomer
        self._shed(ticket, AdmissionOutcome.SHED_CAPACITY if is_newcomer else AdmissionOutcome.DISPLACED, wait_s)
        return ticket

    def _admit(self, now_s: float, *, first: Replica | None = None) -> list[Ticket]:
        """Let in who fits, and call back others for one who does not. ``first`` has just got room."""
        changed: list[Ticket] = []
        while True:
            if self._elsewhere and (found := self._elsewhere.take(self._turns)) is not None:
                self._let_in_at(*found, now_s)
                changed.append(found[0])
                continue
            if (ticket := self._turns.next()) is None:
                break
            replica = self._room_for(ticket, first, now_s)
            if replica is None:
                self._look_again(ticket, first, now_s)
                changed += self._recall_for(ticket, now_s)
                break
            self._see_waiting(now_s)
            self._turns.take(ticket, self.rate)
            if ticket.demand.serving_class is not _BATCH:
                self.rate.sent(ticket.demand.serving_class, ticket.work)
                self._make_ready_for_priority()
            self._see_waiting(now_s)
            self._let_in_at(ticket, replica, now_s)
            changed.append(ticket)
        return changed + self._recall_for_elsewhere(now_s) if self._elsewhere else changed

    def _make_ready_for_priority(self) -> None:
        """As far as its share and the pool ask for that; neither moves much from one request to the next."""
        percent, policy, crowding = round(100 * self.rate.priority_share), self._policy, self.crowding
        ready_for = (percent, self._places, crowding.share)
        if self._ready_for == ready_for:
            return
        self._ready_for = ready_for
        needed = self.rate.places_for_priority(
            most=int(_MOST_KEPT * self._places), idle=crowding.spared(policy.priority_reserve) * self._places
        )
        self._reserved = places_left(needed, places=self._places, crowding=crowding.share)
        self._ahead_s = policy.prefill_ahead_s
        if self.rate.has_priority:
            self._ahead_s = min(self._ahead_s, policy.prefill_ahead_beside_priority_s)

    def _look_again(self, head: Ticket, first: Replica | None, now_s: float) -> None:
        """``head`` finds no room: when it may though nobody begins to be answered or ends, because prompts should have
        been computed by then. Only of ``first`` is anything new, if it is given and a moment is planned,
        unless somebody smaller goes next by now."""
        ahead_s, tokens = self._ahead_s, head.resident_tokens
        is_smaller = self._counts_tokens and tokens < self._looked_for_tokens
        if first is None or is_smaller or self.look_again_s <= now_s:
            self.look_again_s, self._looked_for_tokens = inf, tokens
            ready = replicas_kept(self._replicas) if self._reserved and head.demand.serving_class is _STANDARD else 0
            late_s = self._pool.late_s(tokens, now_s=now_s, ahead_s=ahead_s, ready=ready)
        else:
            late_s = first.occupancy.late_s(now_s, ahead_s=ahead_s) if first.has_room_for(tokens) else inf
        if late_s > 0.0:  # else it is not prompts that it waits for
            self.look_again_s = min(self.look_again_s, now_s + max(late_s, _LEAST_LOOK_S))
        if self._reserved and now_s < self._kept_until_s and head.demand.serving_class is _STANDARD:
            self.look_again_s = min(self.look_again_s, self._kept_until_s)

    def _room_for(self, ticket: Ticket, first: Replica | None, now_s: float) -> Replica | None:
        ahead_s = self._ahead_s
        if ticket.demand.serving_class is _BATCH:
            headroom = self._batch.headroom(online=self.inside - self._batch.inside, places=self._places)
            return self._pool.find_idle_room(ticket.resident_tokens, headroom=headroom, now_s=now_s, ahead_s=ahead_s)
        reserved = self._reserved if now_s < self._kept_until_s else 0
        if reserved and ticket.demand.serving_class is _STANDARD and not self._turns.is_owed(ticket):
            tokens, ready = ticket.resident_tokens, replicas_kept(self._replicas)
            if not self._pool.can_spare(tokens, places=reserved, ready=ready, now_s=now_s, ahead_s=ahead_s):
                return None
        if first is not None and not reserved and not self._counts_tokens:
            # Whoever goes next found no room before, and there all requests are alike: only this one has got any.
            return first if first.takes(ticket.resident_tokens, now_s=now_s, ahead_s=ahead_s) else None
        return self._pool.find_room(ticket.resident_tokens, first=first, now_s=now_s, ahead_s=ahead_s)

    def _recall_for(self, head: Ticket, now_s: float) -> list[Ticket]:
        """``head`` goes next and finds no room: call back one for each that waits like it and for whom no place would
        come up by itself as soon."""
        return self._recall(head, waiting=self._in_line_like(head), first_s=self.look_again_s - now_s, now_s=now_s)

    def _recall_for_elsewhere(self, now_s: float) -> list[Ticket]:
        """The same for the first of those who find no room elsewhere: one for each that waits like it, there or in
        line. Prompts before it are not what it waits for."""
        if (head := self._elsewhere.next()) is None:
            return []
        waiting = self._elsewhere.count(head.demand.serving_class) + self._in_line_like(head)
        return self._recall(head, waiting=waiting, first_s=inf, now_s=now_s)

    def _in_line_like(self, head: Ticket) -> int:
        return self._turns.priority.count if head.demand.serving_class is _PRIORITY else self._turns.online

    def _recall(self, head: Ticket, *, waiting: int, first_s: float, now_s: float) -> list[Ticket]:
        unanswered = self._unanswered
        if not len(unanswered) or head.demand.serving_class is _BATCH:
            return []
        soon = self.rate.soon(head.work, first_s=first_s, within_s=self._policy.recall_beyond_s)
        return unanswered.recall_for(head, most=waiting - soon - unanswered.under_way, now_s=now_s)
