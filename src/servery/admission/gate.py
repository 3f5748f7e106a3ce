"""The door to one pool, for requests that can wait: ``PoolQueue`` with the event loop around it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from enum import StrEnum

import msgspec

from servery.admission.pool_queue import PoolQueue, Ticket, TicketState
from servery.admission.service_rate import ServiceRate
from servery.core.clock import Clock
from servery.core.errors import Overloaded
from servery.core.serving_path import ServingClass
from servery.fleet.replica_pool import ReplicaPool


class AdmissionOutcome(StrEnum):
    """How an attempt to enter ended; also the metric's label."""

    DISPATCHED = "dispatched"
    SHED_CAPACITY = "shed_capacity"
    EXPIRED = "expired"
    CLIENT_GONE = "client_gone"


class Place(msgspec.Struct, frozen=True):
    """A place in the pool, and how long it was waited for."""

    queue_wait_s: float


class Gate:
    """Lets requests into one pool as far as its ready replicas reach."""

    def __init__(self, pool: ReplicaPool, clock: Clock, *, wait_limit_s: float) -> None:
        self._pool = pool
        self._clock = clock
        self._wait_limit_s = wait_limit_s
        self._queue = PoolQueue(capacity=pool.capacity, queue_limit=pool.spec.queue)
        self._calls: dict[Ticket, asyncio.Future[None]] = {}
        self._rate = ServiceRate(clock)
        self.outcomes = dict.fromkeys(AdmissionOutcome, 0)
        pool.listen(self._resize)

    @property
    def waiting(self) -> int:
        return self._queue.waiting

    @property
    def inside(self) -> int:
        return self._queue.inside

    @asynccontextmanager
    async def place(self, serving_class: ServingClass) -> AsyncIterator[Place]:
        """Hold a place until the block ends. Raises Overloaded when the queue is full, when a higher class takes this
        request's place in it, or when the wait grows too long."""
        ticket = Ticket(serving_class)
        arrived_s = self._clock.monotonic_s()
        self._call(self._queue.enter(ticket))
        try:
            if ticket.state is not TicketState.ADMITTED:
                await self._wait(ticket, self._queue.waiting_ahead_of(serving_class))
            self.outcomes[AdmissionOutcome.DISPATCHED] += 1
            yield Place(self._clock.monotonic_s() - arrived_s)
            self._rate.count()
        finally:
            self._call(self._queue.leave(ticket))

    async def _wait(self, ticket: Ticket, ahead: int) -> None:
        if ticket.state is TicketState.WAITING:
            self._calls[ticket] = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._wait_limit_s):
                    await self._calls[ticket]
            except TimeoutError:
                self._refuse(AdmissionOutcome.EXPIRED, ahead)
            except asyncio.CancelledError:
                self.outcomes[AdmissionOutcome.CLIENT_GONE] += 1
                raise
            finally:
                del self._calls[ticket]
        if ticket.state is TicketState.SHED:
            self._refuse(AdmissionOutcome.SHED_CAPACITY, ahead)

    def _refuse(self, outcome: AdmissionOutcome, ahead: int) -> None:
        self.outcomes[outcome] += 1
        raise Overloaded(
            "service overloaded, please try again later", retry_after_s=self._rate.wait_s(ahead + self._queue.inside)
        )

    def _call(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            call = self._calls.get(ticket)
            if call is not None and not call.done():
                call.set_result(None)

    def _resize(self) -> None:
        self._call(self._queue.resize(self._pool.capacity))
