"""The queue with the event loop around it."""

import asyncio
from collections.abc import Callable

import pytest
from tests.admission.pools import PRIORITY, STANDARD, demand, pool_of

from servery.admission.gate import Gate
from servery.admission.policy import AdmissionPolicy
from servery.admission.speed_control import SpeedControl
from servery.admission.ticket import AdmissionOutcome
from servery.core.clock import ManualClock
from servery.core.errors import Overloaded
from servery.core.serving_path import ServingClass
from servery.engines.tally import Tally
from servery.fleet.replica_pool import ReplicaPool


class Visitor:
    """Enters in a task of its own, sits down, and stays until told to leave."""

    def __init__(self, house: "House", serving_class: ServingClass = STANDARD) -> None:
        self.is_inside = False
        self.queue_wait_s = -1.0
        self.was_recalled = asyncio.Event()
        self.may_leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(house, serving_class))

    async def _visit(self, house: "House", serving_class: ServingClass) -> None:
        place = house.gate.enter(demand(serving_class=serving_class), on_recall=self.was_recalled.set)
        try:
            if not place.is_admitted:
                await place.inside()
            while True:
                replica = house.pool.find_room(10)
                assert replica is not None
                replica.occupancy.enter(10)
                place.replica = replica
                self.is_inside, self.queue_wait_s = True, place.queue_wait_s
                try:
                    await self._stay()
                finally:
                    self.is_inside = False
                    replica.occupancy.leave(10)
                if not place.is_recalled:
                    return
                self.was_recalled.clear()
                await place.again()
        finally:
            place.leave()

    async def _stay(self) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self.was_recalled, self.may_leave)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def leave(self) -> None:
        self.may_leave.set()
        await self.task


class House:
    """A gate and its pool."""

    def __init__(self, clock: ManualClock, pool: ReplicaPool, policy: AdmissionPolicy) -> None:
        self.pool = pool
        self.gate = Gate(pool, clock, policy=policy)

    @property
    def counts(self) -> tuple[int, int]:
        return self.gate.inside, self.gate.waiting


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def new_house(clock: ManualClock) -> Callable[..., House]:
    def make(*, concurrency: int = 1, queue: int = 2, **policy: float) -> House:
        """Two replicas, the first of them up."""
        pool = pool_of(replicas=2, concurrency=concurrency, queue=queue, ready=False)
        pool.replicas[0].ready(is_fresh=True)
        given = {"recalls_per_request": 0, "wait_limit_s": 5.0, **policy}
        return House(clock, pool, AdmissionPolicy(**given))  # type: ignore[arg-type]

    return make


async def test_a_place_is_held_until_it_is_left(new_house: Callable[..., House], clock: ManualClock) -> None:
    """The next in line enters then, and knows how long it waited."""
    house = new_house()
    first = Visitor(house)
    await settle()
    second = Visitor(house)
    await settle()
    assert (first.is_inside, second.is_inside, *house.counts) == (True, False, 1, 1)
    clock.advance(3)
    await first.leave()
    await settle()
    assert second.is_inside
    assert second.queue_wait_s == 3
    assert first.queue_wait_s == 0
    await second.leave()
    assert house.counts == (0, 0)


async def test_a_full_queue_sheds_the_newcomer(new_house: Callable[..., House]) -> None:
    """With 503 and a time to come back."""
    house = new_house(queue=0)
    first = Visitor(house)
    await settle()
    with pytest.raises(Overloaded) as refusal:
        await Visitor(house).task
    assert refusal.value.retry_after_s == 10.0
    assert house.gate.outcomes[AdmissionOutcome.SHED_CAPACITY] == 1
    await first.leave()


async def test_priority_displaces_standard(new_house: Callable[..., House]) -> None:
    """The one that waits is told, and the newcomer goes in next."""
    house = new_house(queue=1)
    inside, waiting = Visitor(house), Visitor(house)
    await settle()
    priority = Visitor(house, PRIORITY)
    with pytest.raises(Overloaded):
        await waiting.task
    await inside.leave()
    await settle()
    assert priority.is_inside
    await priority.leave()
    assert house.gate.outcomes[AdmissionOutcome.DISPLACED] == 1
    assert house.gate.outcomes[AdmissionOutcome.DISPATCHED] == 2


async def test_who_is_recalled_waits_again_and_is_served_after_all(
    new_house: Callable[..., House], clock: ManualClock
) -> None:
    """A Priority that finds no room has the place of a Standard that has no first byte; the waits add up."""
    house = new_house(recalls_per_request=1)
    standard = Visitor(house)
    await settle()
    priority = Visitor(house, PRIORITY)
    await settle()
    assert (standard.is_inside, priority.is_inside, house.gate.recalls) == (False, True, 1)
    clock.advance(2)
    await priority.leave()
    await settle()
    assert (standard.is_inside, standard.queue_wait_s) == (True, 2)
    later = Visitor(house, PRIORITY)
    await settle()
    assert standard.is_inside, "once is enough"
    await standard.leave()
    await settle()
    await later.leave()
    assert house.counts == (0, 0)


async def test_who_is_cancelled_while_it_is_recalled_leaves_no_trace(new_house: Callable[..., House]) -> None:
    """Its place is the Priority's."""
    house = new_house(recalls_per_request=1)
    standard = Visitor(house)
    await settle()
    priority = Visitor(house, PRIORITY)
    while not standard.was_recalled.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0)
    standard.task.cancel()
    await asyncio.gather(standard.task, return_exceptions=True)
    await settle()
    assert (priority.is_inside, *house.counts) == (True, 1, 0)
    await priority.leave()
    assert house.counts == (0, 0)


async def test_a_wait_has_an_end(new_house: Callable[..., House]) -> None:
    """With 503, and the place in the queue is free again."""
    house = new_house(wait_limit_s=0.01)
    first = Visitor(house)
    await settle()
    with pytest.raises(Overloaded):
        await Visitor(house).task
    assert house.gate.outcomes[AdmissionOutcome.EXPIRED] == 1
    assert house.gate.waiting == 0
    await first.leave()


async def test_who_is_cancelled_while_waiting_leaves_the_queue(new_house: Callable[..., House]) -> None:
    """And does not enter later."""
    house = new_house()
    first, second, third = (Visitor(house) for _ in range(3))
    await settle()
    second.task.cancel()
    await asyncio.gather(second.task, return_exceptions=True)
    assert house.gate.waiting == 1
    assert house.gate.outcomes[AdmissionOutcome.CLIENT_GONE] == 1
    await first.leave()
    await settle()
    assert third.is_inside
    await third.leave()


async def test_who_is_cancelled_just_as_it_is_called_passes_its_place_on(new_house: Callable[..., House]) -> None:
    """A place that was given to somebody who left is not lost."""
    house = new_house()
    first, second, third = (Visitor(house) for _ in range(3))
    await settle()
    first.may_leave.set()
    while house.gate.waiting == 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    second.task.cancel()  # admitted, but it has not run since
    await asyncio.gather(second.task, return_exceptions=True)
    await settle()
    assert third.is_inside
    await third.leave()
    assert house.counts == (0, 0)


async def test_a_replica_that_comes_up_lets_the_next_ones_in(new_house: Callable[..., House]) -> None:
    """One that goes down keeps newcomers out, and nobody who is inside."""
    house = new_house(concurrency=1, queue=5)
    first, second, third = (Visitor(house) for _ in range(3))
    await settle()
    assert house.counts == (1, 2)
    house.pool.replicas[1].ready(is_fresh=True)
    await settle()
    assert second.is_inside
    assert not third.is_inside
    house.pool.replicas[0].down("test")
    await first.leave()
    await settle()
    assert not third.is_inside
    await second.leave()
    await settle()
    assert third.is_inside
    await third.leave()


async def test_no_sequence_loses_a_place(new_house: Callable[..., House]) -> None:
    """Many visitors at random, some cancelled, some shed, some called back: at the end nobody is inside."""
    house = new_house(concurrency=2, queue=3, recalls_per_request=2)
    visitors = []
    for number in range(60):
        visitors.append(Visitor(house, PRIORITY if number % 3 == 0 else STANDARD))
        if number % 2:
            await asyncio.sleep(0)
        if number % 5 == 0:
            visitors[number // 2].task.cancel()
        visitors[number // 3].may_leave.set()
    for visitor in visitors:
        visitor.may_leave.set()
    await asyncio.gather(*(visitor.task for visitor in visitors), return_exceptions=True)
    assert house.counts == (0, 0)
    assert [one.occupancy.sequences for one in house.pool.replicas] == [0, 0]
    assert len(house.gate._queue._unanswered) == 0


async def test_a_pool_that_promises_speed_watches_its_streams(clock: ManualClock) -> None:
    """From the first byte until they leave; others are not streams."""
    pool = pool_of()
    speed = SpeedControl(target=100.0)
    gate = Gate(pool, clock, policy=AdmissionPolicy(), speed=speed)
    for tally in (Tally(prompt_tokens_guess=1), None):
        place = gate.enter(demand())
        place.replica = pool.replicas[0]
        pool.replicas[0].occupancy.enter(10)
        place.first_byte(tally)
        clock.advance(2.0)
        if tally is not None:
            tally.frames = 101
        pool.replicas[0].occupancy.leave(10)
        place.leave()
    assert speed.percentile(0.5) == 50.5
    assert [one.streams for one in speed._watched.values()] == [{}]


class Prompts:
    """What a replica has to compute, until ``are_done``."""

    def __init__(self) -> None:
        self.are_done = False

    def prompts_wait_s(self, now_s: float, *, beside: float) -> float:
        return 0.0 if self.are_done else 0.07


async def test_prompts_that_nobody_tells_of_are_waited_out(new_house: Callable[..., House]) -> None:
    """Nothing happens but time: the gate looks again by itself when the engine should be done."""
    house = new_house(concurrency=2)
    occupancy = house.pool.replicas[0].occupancy
    occupancy.backlog, occupancy.pending_prefill_tokens = (prompts := Prompts()), 1_000.0
    visitor = Visitor(house)
    await settle()
    assert not visitor.is_inside
    prompts.are_done = True
    visitor.may_leave.set()
    async with asyncio.timeout(60):
        await visitor.task
    assert visitor.queue_wait_s >= 0.0, "it was inside"
