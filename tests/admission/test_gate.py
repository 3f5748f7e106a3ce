"""The queue with the event loop around it."""

import asyncio
from collections.abc import Callable

import pytest

from servery.admission.gate import AdmissionOutcome, Gate
from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.core.errors import Overloaded
from servery.core.serving_path import ServingClass
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.engines.connections import ConnectionLimits
from servery.engines.exchange import ExchangeLimits
from servery.fleet.replica_pool import ReplicaPool

STANDARD, PRIORITY = ServingClass.STANDARD, ServingClass.PRIORITY


def pool_of(*, concurrency: int, queue: int) -> ReplicaPool:
    """Two replicas, the first of them up."""
    urls = ("http://127.0.0.1:1", "http://127.0.0.1:2")
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    spec = Pool(name="p", engine=engine, concurrency=concurrency, queue=queue)
    pool = ReplicaPool(spec, ManualClock())
    pool.replicas[0].up(client())
    return pool


def client() -> EngineClient:
    return EngineClient(
        EngineAddress(family=EngineFamily.VLLM, host="127.0.0.1", port=1),
        connection_limits=ConnectionLimits(),
        exchange_limits=ExchangeLimits(first_byte_timeout_s=1, chunk_timeout_s=1, whole_timeout_s=1),
        clock=ManualClock(),
    )


class Visitor:
    """Enters in a task of its own, and stays until told to leave."""

    def __init__(self, gate: Gate, serving_class: ServingClass = STANDARD) -> None:
        self.is_inside = False
        self.queue_wait_s = -1.0
        self.may_leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(gate, serving_class))

    async def _visit(self, gate: Gate, serving_class: ServingClass) -> None:
        async with gate.place(serving_class) as place:
            self.is_inside = True
            self.queue_wait_s = place.queue_wait_s
            await self.may_leave.wait()
        self.is_inside = False

    async def leave(self) -> None:
        self.may_leave.set()
        await self.task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def new_gate(clock: ManualClock) -> Callable[..., Gate]:
    def make(*, concurrency: int = 1, queue: int = 2, wait_limit_s: float = 5.0) -> Gate:
        return Gate(pool_of(concurrency=concurrency, queue=queue), clock, wait_limit_s=wait_limit_s)

    return make


async def test_a_place_is_held_until_its_block_ends(new_gate: Callable[..., Gate], clock: ManualClock) -> None:
    """The next in line enters then, and knows how long it waited."""
    gate = new_gate()
    first = Visitor(gate)
    await settle()
    second = Visitor(gate)
    await settle()
    assert (first.is_inside, second.is_inside, gate.inside, gate.waiting) == (True, False, 1, 1)
    clock.advance(3)
    await first.leave()
    await settle()
    assert second.is_inside
    assert second.queue_wait_s == 3
    assert first.queue_wait_s == 0
    await second.leave()
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_a_block_that_fails_frees_its_place(new_gate: Callable[..., Gate]) -> None:
    """Whatever is raised in it."""
    gate = new_gate()
    with pytest.raises(RuntimeError, match="x"):
        async with gate.place(STANDARD):
            raise RuntimeError("x")
    assert gate.inside == 0


async def test_a_full_queue_sheds_the_newcomer(new_gate: Callable[..., Gate]) -> None:
    """With 503 and a time to come back."""
    gate = new_gate(queue=0)
    first = Visitor(gate)
    await settle()
    with pytest.raises(Overloaded) as refusal:
        async with gate.place(STANDARD):
            pass
    assert refusal.value.retry_after_s == 60.0
    assert gate.outcomes[AdmissionOutcome.SHED_CAPACITY] == 1
    await first.leave()


async def test_priority_sheds_standard(new_gate: Callable[..., Gate]) -> None:
    """The one that waits is told, and the newcomer goes in next."""
    gate = new_gate(queue=1)
    inside, waiting = Visitor(gate), Visitor(gate)
    await settle()
    priority = Visitor(gate, PRIORITY)
    with pytest.raises(Overloaded):
        await waiting.task
    await inside.leave()
    await settle()
    assert priority.is_inside
    await priority.leave()
    assert gate.outcomes[AdmissionOutcome.SHED_CAPACITY] == 1
    assert gate.outcomes[AdmissionOutcome.DISPATCHED] == 2


async def test_a_wait_has_an_end(new_gate: Callable[..., Gate]) -> None:
    """With 503, and the place in the queue is free again."""
    gate = new_gate(wait_limit_s=0.01)
    first = Visitor(gate)
    await settle()
    with pytest.raises(Overloaded):
        await Visitor(gate).task
    assert gate.outcomes[AdmissionOutcome.EXPIRED] == 1
    assert gate.waiting == 0
    await first.leave()


async def test_who_is_cancelled_while_waiting_leaves_the_queue(new_gate: Callable[..., Gate]) -> None:
    """And does not enter later."""
    gate = new_gate()
    first, second, third = (Visitor(gate) for _ in range(3))
    await settle()
    second.task.cancel()
    await asyncio.gather(second.task, return_exceptions=True)
    assert gate.waiting == 1
    assert gate.outcomes[AdmissionOutcome.CLIENT_GONE] == 1
    await first.leave()
    await settle()
    assert third.is_inside
    await third.leave()


async def test_who_is_cancelled_just_as_it_is_called_passes_its_place_on(new_gate: Callable[..., Gate]) -> None:
    """A place that was given to somebody who left is not lost."""
    gate = new_gate()
    first, second, third = (Visitor(gate) for _ in range(3))
    await settle()
    first.may_leave.set()
    while gate.waiting == 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    second.task.cancel()  # admitted, but it has not run since
    await asyncio.gather(second.task, return_exceptions=True)
    await settle()
    assert third.is_inside
    await third.leave()
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_a_replica_that_comes_up_lets_the_next_ones_in(new_gate: Callable[..., Gate]) -> None:
    """One that goes down keeps newcomers out, and nobody who is inside."""
    gate = new_gate(concurrency=1, queue=5)
    pool = gate._pool
    first, second, third = (Visitor(gate) for _ in range(3))
    await settle()
    assert (gate.inside, gate.waiting) == (1, 2)
    pool.replicas[1].up(client())
    await settle()
    assert second.is_inside
    assert not third.is_inside
    pool.replicas[0].down("test")
    await first.leave()
    await settle()
    assert not third.is_inside
    await second.leave()
    await settle()
    assert third.is_inside
    await third.leave()


async def test_no_sequence_loses_a_place(new_gate: Callable[..., Gate]) -> None:
    """Many visitors at random, some cancelled, some shed: at the end nobody is inside."""
    gate = new_gate(concurrency=2, queue=3)
    visitors = []
    for number in range(60):
        visitors.append(Visitor(gate, PRIORITY if number % 3 == 0 else STANDARD))
        if number % 2:
            await asyncio.sleep(0)
        if number % 5 == 0:
            visitors[number // 2].task.cancel()
        visitors[number // 3].may_leave.set()
    for visitor in visitors:
        visitor.may_leave.set()
    await asyncio.gather(*(visitor.task for visitor in visitors), return_exceptions=True)
    assert (gate.inside, gate.waiting) == (0, 0)
    assert sum(gate.outcomes.values()) <= len(visitors)
    assert gate._calls == {}
