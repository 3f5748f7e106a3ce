"""Admission: in and out of a pool that has room, and of one that is full."""

from collections.abc import Callable

from benchmarks.decisions.row import EVERY_KIND, Row, microseconds
from servery.admission.demand import Demand
from servery.admission.gate import Gate
from servery.admission.policy import AdmissionPolicy
from servery.admission.pool_queue import PoolQueue
from servery.admission.ticket import Ticket, TicketState
from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import SystemClock
from servery.core.engine_family import EngineFamily
from servery.core.serving_path import ServingClass
from servery.fleet.replica_pool import ReplicaPool

_CALLS = 5_000


def rows() -> list[Row]:
    return [
        Row(
            part="admission",
            what="enter and leave, 64 replicas with room",
            us=microseconds(_uncontended(64), decisions=1, calls=_CALLS),
            asked_by=EVERY_KIND,
        ),
        *[_waiting(replicas, accounts) for replicas, accounts in ((1, 1), (64, 100), (64, 1_000), (256, 1_000))],
    ]


def _waiting(replicas: int, accounts: int) -> Row:
    return Row(
        part="admission",
        what=f"enter, wait, leave: {replicas} full replicas, {accounts} accounts",
        us=microseconds(_contended(replicas, accounts), decisions=1, calls=_CALLS),
    )


def _pool(replicas: int) -> ReplicaPool:
    urls = tuple(f"http://127.0.0.1:{number + 1}" for number in range(replicas))
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    pool = ReplicaPool(Pool(name="p", engine=engine, concurrency=16, queue=100_000), SystemClock())
    for replica in pool.replicas:
        replica.ready(is_fresh=True)
    return pool


def _demand(account: int) -> Demand:
    return Demand(
        account=f"account {account}",
        serving_class=ServingClass.STANDARD,
        prompt_tokens=8_000,
        uncached_prompt_tokens=1_000,
        generated_tokens=300,
    )


def _uncontended(replicas: int) -> Callable[[], None]:
    """The gate as it is called for each request."""
    gate = Gate(_pool(replicas), SystemClock(), policy=AdmissionPolicy())
    demand = _demand(0)

    def recall() -> None:
        raise AssertionError("there is room")

    def once() -> None:
        gate.enter(demand, on_recall=recall).leave()

    return once


def _contended(replicas: int, accounts: int) -> Callable[[], None]:
    """One comes and waits, one leaves, one that waited goes: as many wait as there are accounts, or ten."""
    pool = _pool(replicas)
    queue = PoolQueue(pool, queue_limit=100_000, policy=AdmissionPolicy(standard_budget_s=1e9))
    demands = [_demand(number) for number in range(accounts)]
    clock, turn = SystemClock(), 0
    inside: list[Ticket] = []

    def sit(ticket: Ticket) -> None:
        held = ticket.held_at
        queue.redeem(ticket)
        ticket.replica = pool.find_room(ticket.resident_tokens, first=held)
        assert ticket.replica is not None, "what was held is there"
        ticket.replica.occupancy.enter(ticket.resident_tokens)
        inside.append(ticket)

    def come() -> None:
        nonlocal turn
        turn += 1
        ticket = Ticket(demands[turn % accounts])
        queue.enter(ticket, clock.monotonic_s())
        if ticket.state is TicketState.ADMITTED:
            sit(ticket)

    for _ in range(16 * replicas + max(10, accounts)):
        come()

    def once() -> None:
        come()
        leaving = inside.pop(turn * 7 % len(inside))
        assert leaving.replica is not None, "who is inside sits somewhere"
        leaving.replica.occupancy.leave(leaving.resident_tokens)
        for ticket in queue.leave(leaving, clock.monotonic_s()):
            sit(ticket)

    return once
