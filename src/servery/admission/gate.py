"""The door to one pool, for requests that can wait: ``PoolQueue`` with the event loop around it."""

import asyncio
from collections.abc import Callable, Iterable
from math import inf

from servery.admission.demand import Demand
from servery.admission.policy import AdmissionPolicy
from servery.admission.pool_queue import PoolQueue
from servery.admission.speed_control import Counted, SpeedControl, Stream
from servery.admission.ticket import AdmissionOutcome, Ticket, TicketState
from servery.core.clock import Clock
from servery.core.errors import Overloaded
from servery.core.serving_path import ServingClass
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool

_ADMITTED = TicketState.ADMITTED


class Place:
    """A place in the pool. Whoever was given it calls ``leave``, whatever happens; ``queue_wait_s`` is how long it was
    waited for, in sum."""

    __slots__ = ("_gate", "_ticket", "queue_wait_s")

    def __init__(self, gate: "Gate", ticket: Ticket) -> None:
        self._gate = gate
        self._ticket = ticket
        self.queue_wait_s = 0.0

    @property
    def is_recalled(self) -> bool:
        """Whether the request was called back: it stops its engine and calls ``again``, or ``leave``."""
        return self._ticket.state is TicketState.RECALLED

    @property
    def is_counted(self) -> bool:
        """Whether what the request really uses is wanted by ``leave``."""
        return self._ticket.charged > 0.0

    @property
    def replica(self) -> Replica | None:
        """Where the request was sent last; None before it was, and once it waits again."""
        return self._ticket.replica

    def seated(self, replica: Replica) -> None:
        """The request goes to ``replica``."""
        self._ticket.replica = replica

    def first_byte(self, count: Counted | None = None) -> None:
        """The answer begins to be passed on. From now on the request is not called back. ``count``: of a stream."""
        self._gate.first_byte(self._ticket, count)

    async def again(self) -> None:
        """Its seat is given up: wait for another, at the request's old place. Raises as ``Gate.enter`` does; ``leave``
        is still to be called."""
        await self._gate.enter_again(self, self._ticket)

    def leave(self, *, work: float | None = None) -> None:
        """The request is over, or failed; its seat is free. ``work`` is what it really was, where that is known. To
        leave again changes nothing."""
        self._gate.leave(self._ticket, work=work)


class Gate:
    """Lets requests into one pool as far as its replicas reach. ``recalls`` counts those that were called back.
    ``speed`` holds the speed of a pool's streams, where that is promised."""

    def __init__(
        self, pool: ReplicaPool, clock: Clock, *, policy: AdmissionPolicy, speed: SpeedControl | None = None
    ) -> None:
        self.speed = speed
        self._outcomes = dict.fromkeys(AdmissionOutcome, 0)
        self._at_once = 0
        self._clock = clock
        self._policy = policy
        self._queue = PoolQueue(
            pool,
            queue_limit=pool.spec.queue,
            policy=policy,
            hour_offset_s=clock.wall_ns() / 1e9 - clock.monotonic_s(),
        )
        self._calls: dict[Ticket, asyncio.Future[None]] = {}
        self._streams: dict[Ticket, Stream] = {}
        self._on_recall: dict[Ticket, Callable[[], None]] = {}
        self._look: asyncio.TimerHandle | None = None
        self._looks_s = inf
        pool.listen(self._room_changed)

    @property
    def outcomes(self) -> dict[AdmissionOutcome, int]:
        """How many attempts to enter ended how."""
        dispatched = self._outcomes[AdmissionOutcome.DISPATCHED] + self._at_once
        return self._outcomes | {AdmissionOutcome.DISPATCHED: dispatched}

    @property
    def waiting(self) -> int:
        return self._queue.waiting

    @property
    def inside(self) -> int:
        return self._queue.inside

    @property
    def recalls(self) -> int:
        return self._queue.recalls

    async def enter(self, demand: Demand, *, on_recall: Callable[[], None] | None = None) -> Place:
        """A place for ``demand``. The caller takes its seat before it awaits anything.

        ``on_recall`` is called when the request is called back, at most before its first byte; None: it never is.
        Raises Overloaded when it would wait too long or did, when the queue is full, or when another takes its place in
        it.
        """
        ticket = Ticket(demand, may_be_recalled=on_recall is not None)
        if on_recall is not None:
            self._on_recall[ticket] = on_recall
        place = Place(self, ticket)
        now_s = self._clock.monotonic_s()
        changed = self._queue.enter(ticket, now_s)
        if changed:
            self._tell(changed)
        if ticket.state is _ADMITTED:
            if ticket.held_at is not None:
                self._queue.redeem(ticket)
            self._at_once += 1
            return place
        try:
            await self._wait(place, ticket, now_s)
        except BaseException:
            place.leave()
            raise
        return place

    def enter_beside(self, demand: Demand, other: Replica, *, on_recall: Callable[[], None]) -> Place | None:
        """As ``enter``, for a second attempt at what is at ``other`` already: None if somebody waits, or there is no
        room now at another replica. The caller takes its seat before it awaits anything."""
        ticket = Ticket(demand, may_be_recalled=True)
        if not self._queue.enter_beside(ticket, other, self._clock.monotonic_s()):
            return None
        self._on_recall[ticket] = on_recall
        self._at_once += 1
        return Place(self, ticket)

    async def enter_again(self, place: Place, ticket: Ticket) -> None:
        """``Place.again``."""
        now_s = self._clock.monotonic_s()
        self._tell(self._queue.come_back(ticket, now_s))
        await self._wait(place, ticket, now_s)

    def first_byte(self, ticket: Ticket, count: Counted | None) -> None:
        """``Place.first_byte``."""
        now_s = self._clock.monotonic_s()
        self._tell(self._queue.first_byte(ticket, now_s, count))
        if self.speed is not None and count is not None and ticket.replica is not None:
            self._streams[ticket] = self.speed.begin(ticket.replica, count, now_s)

    def leave(self, ticket: Ticket, *, work: float | None) -> None:
        """``Place.leave``."""
        self._on_recall.pop(ticket, None)
        now_s = self._clock.monotonic_s()
        if self.speed is not None and (stream := self._streams.pop(ticket, None)) is not None:
            self.speed.end(stream, now_s)
        self._tell(self._queue.leave(ticket, now_s, work=work))

    async def _wait(self, place: Place, ticket: Ticket, since_s: float) -> None:
        """Until ``ticket`` is admitted. Raises Overloaded when it is shed."""
        if ticket.state is TicketState.WAITING:
            self._plan_look()
            call = self._calls[ticket] = asyncio.get_running_loop().create_future()
            is_batch = ticket.demand.serving_class is ServingClass.BATCH
            try:
                async with asyncio.timeout(None if is_batch else self._policy.wait_limit_s):
                    await call
            except TimeoutError:
                self._tell(self._queue.expire(ticket, self._clock.monotonic_s()))
            except asyncio.CancelledError:
                self._outcomes[AdmissionOutcome.CLIENT_GONE] += 1
                raise
            finally:
                del self._calls[ticket]
        place.queue_wait_s += self._clock.monotonic_s() - since_s
        assert ticket.outcome is not None, "a wait ends with an outcome"
        self._outcomes[ticket.outcome] += 1
        if ticket.state is TicketState.SHED:
            raise Overloaded("service overloaded, please try again later", retry_after_s=ticket.retry_after_s)
        self._queue.redeem(ticket)

    def _tell(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            if ticket.state is TicketState.RECALLED:
                self._on_recall[ticket]()
            elif (call := self._calls.get(ticket)) is not None and not call.done():
                call.set_result(None)
        self._plan_look()

    def _plan_look(self) -> None:
        """Look again when the queue wants it; a look that is planned for sooner will do."""
        moment_s = self._queue.look_again_s
        if moment_s < self._looks_s:
            if self._look is not None:
                self._look.cancel()
            self._looks_s = moment_s
            wait_s = moment_s - self._clock.monotonic_s()
            self._look = asyncio.get_running_loop().call_later(wait_s, self._time_passed)

    def _time_passed(self) -> None:
        self._look, self._looks_s = None, inf
        self._tell(self._queue.time_passed(self._clock.monotonic_s()))

    def _room_changed(self) -> None:
        self._tell(self._queue.room_changed(self._clock.monotonic_s()))
