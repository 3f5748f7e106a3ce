"""Why requests went where they went, as it is remembered."""

import tracemalloc

from tests.routing.test_router import PROMPT, blocks, seated, slots, taken, wish

from servery.core.clock import ManualClock
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.decision import RouteReason
from servery.routing.placements import Placements
from servery.routing.router import Router

_MOST_BYTES_EACH = 1_500


def place(placements: Placements, router: Router, pool: ReplicaPool, request_id: str, *, prompt: bytes = PROMPT) -> str:
    with seated(router, pool, wish(prompt=prompt)) as seat:
        assert seat is not None
        placements.add(request_id, 0, seat)
        return seat.replica.name


def test_a_placement_tells_what_was_weighed() -> None:
    """Also when all that was known then has changed since."""
    placements, pool, router = Placements(), blocks(), Router(ManualClock(), slot_isolation=True)
    home = taken(router, pool, wish())
    assert place(placements, router, pool, "r1") == home
    for replica in pool.replicas:
        replica.down("test")
    (placed,) = placements.of("r1")
    decision = placed.decision
    assert (decision.reason, decision.chosen.replica) == (RouteReason.PREFIX, home)
    assert decision.chosen.cached_tokens > 900
    assert [score.replica for score in decision.scores] == [home, "p/1" if home == "p/0" else "p/0"]
    assert decision.full == ()


def test_queued_tokens_and_full_replicas_are_told() -> None:
    """Of each candidate as it was before this request came."""
    placements, pool, router = Placements(), blocks(concurrency=1), Router(ManualClock(), slot_isolation=True)
    with seated(router, pool, wish()) as other:
        assert other is not None
        place(placements, router, pool, "r1")
    (placed,) = placements.of("r1")
    decision = placed.decision
    assert decision.full == (other.replica.name,)
    assert [score.queued_tokens for score in decision.scores] == [0.0]
    pool, router = blocks(replicas=1), Router(ManualClock(), slot_isolation=True)
    with seated(router, pool, wish("B/", b"q" * 4_000)):
        place(placements, router, pool, "r2")
    (placed,) = placements.of("r2")
    assert placed.decision.chosen.queued_tokens == 1_000


def test_a_request_may_be_placed_more_than_once() -> None:
    """After a recall or a failure; all are told, in their order."""
    placements, pool, router = Placements(), blocks(), Router(ManualClock(), slot_isolation=True)
    first = place(placements, router, pool, "r1")
    place(placements, router, pool, "r2")
    with seated(router, pool, wish(), avoid=frozenset({first})) as seat:
        assert seat is not None
        placements.add("r1", 0, seat)
    assert [one.decision.chosen.replica for one in placements.of("r1")] == [first, seat.replica.name]


def test_only_the_last_are_kept() -> None:
    """The oldest go first."""
    placements, pool, router = Placements(most=3), blocks(), Router(ManualClock(), slot_isolation=True)
    for number in range(5):
        place(placements, router, pool, f"r{number}")
    assert len(placements) == 3
    assert [bool(placements.of(f"r{number}")) for number in range(5)] == [False, False, True, True, True]


def test_what_is_kept_is_small() -> None:
    """Four candidates, and none of the prompt, its hashes, or where it lies."""
    pool, router = slots(replicas=4), Router(ManualClock(), slot_isolation=True)
    placements, count = Placements(), 200
    place(placements, router, pool, "warm")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            place(placements, router, pool, f"r{number}")
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(placements.of("r0")[0].weighed) == 4
    assert grown / count < _MOST_BYTES_EACH
