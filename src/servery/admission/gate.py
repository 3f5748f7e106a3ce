"""The door to one pool, for requests that can wait: ``PoolQueue`` with the event loop around it."""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

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

_ADMITTED: Final = TicketState.ADMITTED
_RECALLED: Final = TicketState.RECALLED


class Place(Ticket):
    """A place in the pool. Whoever was given it calls ``leave``, whatever happens; ``queue_wait_s`` is how long it was
    waited for, in sum. To the pool's queue it is a ticket."""

    queue_wait_s: float = 0.0
    admission: asyncio.Future[None] | None = None
    stream: Stream | None = None

    def __init__(self, gate: "Gate", demand: Demand, *, on_recall: Callable[[], None] | None) -> None:
        super().__init__(demand, may_be_recalled=on_recall is not None)
        self.on_recall = on_recall
        self._gate = gate

    @property
    def is_admitted(self) -> bool:
        """Whether it need not be waited for."""
        return self.state is _ADMITTED

    @property
    def is_recalled(self) -> bool:
        """Whether the request was called back: it stops its engine and calls ``again``, or ``leave``."""
        return self.state is _RECALLED

    @property
    def is_counted(self) -> bool:
        """Whether what the request really uses is wanted by ``leave``."""
        return self.charged > 0.0

    def first_byte(self, count: Counted | None = None) -> None:
        """The answer begins to be passed on. From now on the request is not called back. ``count``: of a stream."""
        self._gate.first_byte(self, count)

    async def inside(self) -> None:
        """Wait until it is admitted. Raises Overloaded when that would take too long or did, when the queue is full,
        or when another takes its place in it; ``leave`` is still to be called."""
        await self._gate.wait(self)

    async def again(self) -> None:
        """Its seat is given up: wait for another, at the request's old place. Raises as ``inside`` does."""
        await self._gate.enter_again(self)

    def leave(self, *, work: float | None = None) -> None:
        """The request is over, or failed; its seat is free. ``work`` is what it really was, where that is known. To
        leave again changes nothing."""
        self._gate.leave(self, work=work)


class Gate:
    """Lets requests into one pool as far as its replicas reach. ``recalls`` counts those that were called back.
    ``speed`` holds the speed of a pool's streams, where that is promised."""

    def __init__(
        self, pool: ReplicaPool, clock: Clock, *, policy: AdmissionPolicy, speed: SpeedControl | None = None
    ) -> None:
        self.speed = speed
        self._outcomes = dict.fromkeys(AdmissionOutcome, 0)
        self._at_once = 0
        self._now = clock.monotonic_s
        self._policy = policy
        self._queue = PoolQueue(
            pool,
            queue_limit=pool.spec.queue,
            policy=policy,
            hour_offset_s=clock.wall_ns() / 1e9 - clock.monotonic_s(),
        )
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

    def enter(self, demand: Demand, *, on_recall: Callable[[], None] | None = None) -> Place:
        """A place for ``demand``: one that ``is_admitted`` where there is room at once, else one to wait for with
        ``Place.inside``. The caller takes its seat before it awaits anything else.

        ``on_recall`` is called when the request is called back, before its first byte unless it is Batch; None: never.
        """
        place = Place(self, demand, on_recall=on_recall)
        changed = self._queue.enter(place, self._now())
        if changed:
            self._tell(changed)
        if place.state is _ADMITTED:
            if place.held_at is not None:
                self._queue.redeem(place)
            self._at_once += 1
        return place

    def enter_beside(self, demand: Demand, other: Replica, *, on_recall: Callable[[], None]) -> Place | None:
        """A place for a second attempt at what is at ``other`` already: None if somebody waits, or there is no
        room now at another replica. The caller takes its seat before it awaits anything."""
        place = Place(self, demand, on_recall=on_recall)
        if not self._queue.enter_beside(place, other, self._now()):
            return None
        self._at_once += 1
        return place

    async def wait(self, place: Place) -> None:
        """``Place.inside``."""
        await self._wait(place, self._now())

    async def enter_again(self, place: Place) -> None:
        """``Place.again``."""
        now_s = self._now()
        self._tell(self._queue.come_back(place, now_s))
        await self._wait(place, now_s)

    def first_byte(self, place: Place, count: Counted | None) -> None:
        """``Place.first_byte``."""
        now_s = self._now()
        self._tell(self._queue.first_byte(place, now_s, count))
        if self.speed is not None and count is not None and place.replica is not None:
            place.stream = self.speed.begin(place.replica, count, now_s)

    def leave(self, place: Place, *, work: float | None) -> None:
        """``Place.leave``."""
        place.on_recall = None
        now_s = self._now()
        if self.speed is not None and place.stream is not None:
            self.speed.end(place.stream, now_s)
            place.stream = None
        self._tell(self._queue.leave(place, now_s, work=work))

    async def _wait(self, place: Place, since_s: float) -> None:
        """Until ``place`` is admitted. Raises Overloaded when it is shed."""
        if place.state is TicketState.WAITING:
            self._plan_look()
            admission = place.admission = asyncio.get_running_loop().create_future()
            is_batch = place.demand.serving_class is ServingClass.BATCH
            try:
                async with asyncio.timeout(None if is_batch else self._policy.wait_limit_s):
                    await admission
            except TimeoutError:
                self._tell(self._queue.expire(place, self._now()))
            except asyncio.CancelledError:
                self._outcomes[AdmissionOutcome.CLIENT_GONE] += 1
                raise
            finally:
                place.admission = None
        place.queue_wait_s += self._now() - since_s
        assert place.outcome is not None, "a wait ends with an outcome"
        self._outcomes[place.outcome] += 1
        if place.state is TicketState.SHED:
            raise Overloaded("service overloaded, please try again later", retry_after_s=place.retry_after_s)
        self._queue.redeem(place)

    def _tell(self, tickets: list[Ticket]) -> None:
        for place in tickets:
            assert isinstance(place, Place), "places are all that enters"
            if place.state is _RECALLED:
                assert place.on_recall is not None, "who must not be called back is not"
                place.on_recall()
            elif place.admission is not None and not place.admission.done():
                place.admission.set_result(None)
        self._plan_look()

    def _plan_look(self) -> None:
        """Look again when the queue wants it; a look that is planned for sooner will do."""
        moment_s = self._queue.look_again_s
        if moment_s < self._looks_s:
            if self._look is not None:
                self._look.cancel()
            self._looks_s = moment_s
            wait_s = moment_s - self._now()
            self._look = asyncio.get_running_loop().call_later(wait_s, self._time_passed)

    def _time_passed(self) -> None:
        self._look, self._looks_s = None, inf
        self._tell(self._queue.time_passed(self._now()))

    def _room_changed(self) -> None:
        self._tell(self._queue.room_changed(self._now()))
