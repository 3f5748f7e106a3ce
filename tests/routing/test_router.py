"""Taking seats: in-flight shares that always come back, and memory that ends with an engine's life."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.catalog.engine import EmbeddedEngine, UrlEngine
from servery.catalog.pool import Pool
from servery.catalog.weights import Weights
from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.exchange_limits import ExchangeLimits
from servery.engines.load import EngineLoad
from servery.fleet.replica_pool import ReplicaPool
from servery.fleet.share import Share
from servery.routing.chain import text_chain
from servery.routing.decision import RouteReason
from servery.routing.router import Router
from servery.routing.seat import Seat
from servery.routing.wish import Wish

PROMPT = b"p" * 4_000


def client() -> EngineClient:
    return EngineClient(
        EngineAddress(family=EngineFamily.VLLM, host="127.0.0.1", port=1),
        connection_limits=ConnectionLimits(),
        exchange_limits=ExchangeLimits(first_byte_timeout_s=1, chunk_timeout_s=1, whole_timeout_s=1),
        clock=ManualClock(),
    )


def blocks(*, replicas: int = 2, concurrency: int = 2) -> ReplicaPool:
    urls = tuple(f"http://127.0.0.1:{number + 1}" for number in range(replicas))
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    return up(Pool(name="p", engine=engine, concurrency=concurrency))


def slots(*, replicas: int = 2, concurrency: int = 2) -> ReplicaPool:
    engine = EmbeddedEngine(model=Weights.parse("demo", Path()), slots=2)
    return up(Pool(name="p", engine=engine, replicas=replicas, concurrency=concurrency))


def up(spec: Pool, *, share: Share | None = None) -> ReplicaPool:
    pool = ReplicaPool(spec, ManualClock(), share=share)
    for replica in pool.replicas:
        replica.up(client())
    return pool


def wish(owner: str = "A/", prompt: bytes = PROMPT, session: str | None = None) -> Wish:
    return Wish(owner=owner, chain=text_chain(owner, prompt), units_per_token=4.0, session=session)


@contextmanager
def seated(
    router: Router, pool: ReplicaPool, asked: Wish, *, avoid: frozenset[str] = frozenset(), answered: bool = True
) -> Iterator[Seat | None]:
    """A seat until the block ends, with the whole answer if it is ``answered``."""
    seat = router.seat(pool, asked, avoid=avoid)
    try:
        yield seat
        if seat is not None and answered:
            seat.answered()
    finally:
        if seat is not None:
            seat.leave()


def taken(router: Router, pool: ReplicaPool, asked: Wish, avoid: frozenset[str] = frozenset()) -> str:
    """Where a request goes that is over at once."""
    with seated(router, pool, asked, avoid=avoid) as seat:
        assert seat is not None
        return seat.replica.name


def in_flight(pool: ReplicaPool) -> list[int]:
    return [replica.in_flight for replica in pool.replicas]


def test_a_seat_is_held_until_its_block_ends() -> None:
    """However it ends."""
    pool, router = blocks(), Router(ManualClock(), slot_isolation=True)
    with seated(router, pool, wish()):
        assert sum(in_flight(pool)) == 1
    assert in_flight(pool) == [0, 0]
    with pytest.raises(RuntimeError, match="x"), seated(router, pool, wish()):
        raise RuntimeError("x")
    assert in_flight(pool) == [0, 0]


def test_a_replica_takes_no_more_than_its_share() -> None:
    """And when all are full there is no seat."""
    pool, router = blocks(concurrency=2), Router(ManualClock(), slot_isolation=True)
    with ExitStack() as stack:
        for _ in range(4):
            assert stack.enter_context(seated(router, pool, wish())) is not None
        assert in_flight(pool) == [2, 2]
        assert stack.enter_context(seated(router, pool, wish())) is None
        assert in_flight(pool) == [2, 2]
    assert in_flight(pool) == [0, 0]


STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "down", "up", "anew"]), st.integers(0, 5), st.integers(0, 2)),
    max_size=40,
)


@given(STEPS, st.booleans(), st.booleans())
def test_no_sequence_loses_a_share(steps: list[tuple[str, int, int]], slotted: bool, isolated: bool) -> None:
    """Requests come and go while replicas fall, rise, and are replaced under them."""
    pool = slots() if slotted else blocks()
    router = Router(ManualClock(), slot_isolation=isolated)
    held: list[ExitStack] = []
    for what, number, owner in steps:
        replica = pool.replicas[number % 2]
        match what:
            case "enter":
                stack = ExitStack()
                if stack.enter_context(seated(router, pool, wish(f"{owner}/", PROMPT[: 500 * number]))) is not None:
                    held.append(stack)
            case "leave" if held:
                held.pop(number % len(held)).close()
            case "down":
                replica.down("test")
            case "up":
                replica.up(replica.client)
            case "anew":
                replica.up(client())
        assert sum(in_flight(pool)) == len(held)
        assert all(one.in_flight <= one.occupancy.sequences_limit for one in pool.replicas)
    for stack in held:
        stack.close()
    assert in_flight(pool) == [0, 0]
    assert all(one.occupancy.pending_prefill_tokens == 0 for one in pool.replicas)


def test_a_prompt_goes_where_it_lies() -> None:
    """Its second request finds the first one's replica; another owner's does not care."""
    for pool in (blocks(replicas=4), slots(replicas=4)):
        router = Router(ManualClock(), slot_isolation=True)
        home = taken(router, pool, wish("A/"))
        for number in range(3):
            taken(router, pool, wish(f"B{number}/", b"q" * 4_000))
        assert taken(router, pool, wish("A/")) == home


def test_a_new_incarnation_has_forgotten() -> None:
    """What was sent to the engine before it was started anew counts for nothing."""
    for pool in (blocks(replicas=1), slots(replicas=1)):
        router = Router(ManualClock(), slot_isolation=True)
        predicted = []
        for anew in (False, False, True):
            if anew:
                pool.replicas[0].up(client())
            with seated(router, pool, wish()) as seat:
                assert seat is not None
                predicted.append(seat.predicted_cached_tokens)
        assert predicted[0] == predicted[2] == 0
        assert predicted[1] > 900


def test_a_slot_of_a_former_life_is_not_erased_in_the_next() -> None:
    """A fresh engine has nothing of anybody's."""
    pool, router = slots(replicas=1, concurrency=1), Router(ManualClock(), slot_isolation=True)
    for owner in ("A/", "B/"):
        taken(router, pool, wish(owner))
    with seated(router, pool, wish("C/")) as seat:
        assert seat is not None
        assert seat.placement.erase
    pool.replicas[0].up(client())
    with seated(router, pool, wish("D/")) as seat:
        assert seat is not None
        assert not seat.placement.erase


def test_without_isolation_nothing_is_erased() -> None:
    """One tenant: its accounts share what lies in the slots."""
    pool, router = slots(replicas=1, concurrency=1), Router(ManualClock(), slot_isolation=False)
    for account in ("A", "B", "C", "D"):
        with seated(router, pool, wish(router.owner(pool, account, None))) as seat:
            assert seat is not None
            assert not seat.placement.erase
    assert seat is not None
    assert seat.predicted_cached_tokens > 0


def test_slots_of_an_engine_that_ran_before_are_erased_once() -> None:
    """What lies in them may be anybody's: an engine given by URL, or shared with other workers, is not ours from its
    start."""
    engine = UrlEngine(family=EngineFamily.LLAMA_CPP, urls=("http://127.0.0.1:1",), served_model="m", slots=1)
    pool, router = up(Pool(name="p", engine=engine, concurrency=1)), Router(ManualClock(), slot_isolation=True)
    for erase in (True, False):
        with seated(router, pool, wish()) as seat:
            assert seat is not None
            assert seat.placement.erase is erase
            assert seat.predicted_cached_tokens == 0 or not erase
            seat.erased()


def test_a_pool_of_several_families_has_slots_where_its_engines_have() -> None:
    """Each replica is asked as its engine wants it."""
    llama = UrlEngine(family=EngineFamily.LLAMA_CPP, urls=("http://127.0.0.1:1",), served_model="m", slots=2)
    vllm = UrlEngine(family=EngineFamily.VLLM, urls=("http://127.0.0.1:2",), served_model="m", concurrency=8)
    pool, router = (
        up(Pool(name="p", engine=llama, also=(vllm,), concurrency=2)),
        Router(ManualClock(), slot_isolation=True),
    )
    assert pool.capacity == 10
    placed = {}
    with ExitStack() as stack:
        for number in range(6):
            seat = stack.enter_context(seated(router, pool, wish(f"{number}/", prompt=b"%d" % number * 900)))
            assert seat is not None
            placed.setdefault(seat.replica.name, []).append(seat.placement.slot)
    assert sorted(placed["p/0"]) == [0, 1]
    assert set(placed["p/1"]) == {None}


def test_a_share_of_an_engine_is_a_share_of_its_slots() -> None:
    """Gateways that serve from the same engine use different slots of it."""
    engine = UrlEngine(family=EngineFamily.LLAMA_CPP, urls=("http://127.0.0.1:1",), served_model="m", slots=4)
    pool = up(Pool(name="p", engine=engine, concurrency=4), share=Share(index=1, count=2))
    router = Router(ManualClock(), slot_isolation=True)
    with seated(router, pool, wish("A/")) as one, seated(router, pool, wish("B/")) as two:
        assert one is not None
        assert two is not None
        assert {one.placement.slot, two.placement.slot} == {1, 3}
        with seated(router, pool, wish("C/")) as third:
            assert third is None


def test_replicas_to_avoid_are_taken_only_for_want_of_others() -> None:
    """A retry goes elsewhere where there is an elsewhere."""
    pool, router = blocks(replicas=2), Router(ManualClock(), slot_isolation=True)
    assert taken(router, pool, wish(), frozenset({"p/0"})) == "p/1"
    pool.replicas[1].down("test")
    assert taken(router, pool, wish(), frozenset({"p/0"})) == "p/0"
    pool.replicas[0].down("test")
    with seated(router, pool, wish()) as seat:
        assert seat is None


def test_a_prompt_that_is_not_computed_yet_counts_against_its_replica() -> None:
    """Two long prompts at once go to two replicas; once the first byte has come, the first is free again."""
    pool, router = blocks(replicas=2, concurrency=8), Router(ManualClock(), slot_isolation=True)
    with seated(router, pool, wish("A/")) as first, seated(router, pool, wish("B/")) as second:
        assert first is not None
        assert second is not None
        assert first.replica is not second.replica
        first.first_byte()
        assert taken(router, pool, wish("C/")) == first.replica.name


def test_a_session_is_sent_home() -> None:
    """With prompts that have nothing in common, as long as home is there."""
    pool, router = blocks(replicas=4, concurrency=8), Router(ManualClock(), slot_isolation=True)
    names = {taken(router, pool, wish(prompt=bytes([65 + n]) * 1_000, session="acme/s")) for n in range(10)}
    assert len(names) == 1
    next(one for one in pool.replicas if one.name in names).down("test")
    assert taken(router, pool, wish(prompt=b"z" * 1_000, session="acme/s")) not in names


def test_a_conversation_is_not_torn_from_its_slot_for_evenness() -> None:
    """However much more its replica has computed than others; what begins anew goes to those."""
    pool, router = slots(), Router(ManualClock(), slot_isolation=True)
    home = taken(router, pool, wish("A/"))
    others = frozenset(one.name for one in pool.replicas if one.name != home)
    for number in range(16):
        assert taken(router, pool, wish("B/", bytes([65 + number]) * 40_000), avoid=others) == home
        assert taken(router, pool, wish("A/"), avoid=others) == home
    assert taken(router, pool, wish("A/")) == home
    assert taken(router, pool, wish("C/", b"c" * 4_000)) in others


def test_siblings_land_together_unless_that_is_costlier() -> None:
    """A burst of requests with one long prefix computes it once; when too many wait for it, it is computed twice."""
    clock = ManualClock()
    pool, router = blocks(replicas=4, concurrency=256), Router(clock, slot_isolation=True)
    asked = []
    with ExitStack() as stack:
        for number in range(40):
            clock.advance(0.002)
            seat = stack.enter_context(seated(router, pool, wish(prompt=b"s" * 49_200 + b"%04d" % number * 60)))
            assert seat is not None
            asked.append(seat.replica.name)
    assert len(set(asked[:5])) == 1
    assert len(set(asked)) > 1


def test_a_forecast_is_what_the_best_replica_holds() -> None:
    """Before any is chosen, for estimates; never more than the prompt."""
    for pool in (blocks(replicas=4), slots(replicas=4)):
        router = Router(ManualClock(), slot_isolation=True)
        assert router.forecast(pool, wish()) == 0
        taken(router, pool, wish())
        assert 900 <= router.forecast(pool, wish()) <= 1_000
        assert router.forecast(pool, wish("B/")) == 0
        for replica in pool.replicas:
            replica.down("test")
        assert router.forecast(pool, wish()) == 0


def test_a_decision_can_be_explained() -> None:
    """All that were weighed, with what made their costs, and why the one was chosen."""
    pool, router = blocks(replicas=2, concurrency=8), Router(ManualClock(), slot_isolation=True)
    home = taken(router, pool, wish())
    with seated(router, pool, wish()) as seat:
        assert seat is not None
        decision = seat.weighing.decision
    assert decision.chosen.replica == home
    assert decision.reason is RouteReason.PREFIX
    assert decision.chosen.cached_tokens > 900
    assert {score.replica for score in decision.scores} == {"p/0", "p/1"}
    assert decision.chosen.cost_s == min(score.cost_s for score in decision.scores)
    assert decision.told().startswith(f"reason=prefix; {home} cost=")
    with seated(router, pool, wish("C/", b"n" * 4_000, session="acme/s")) as seat:
        assert seat is not None
        assert seat.weighing.decision.reason is RouteReason.HOME
    with seated(router, pool, wish("D/", b"m" * 4_000)) as seat:
        assert seat is not None
        assert seat.weighing.decision.reason is RouteReason.LEAST_WORK


def test_the_error_of_predictions_is_summed() -> None:
    """Of responses of engines that tell; one that never told of cached tokens is not believed to tell of none."""
    pool, router = blocks(replicas=1), Router(ManualClock(), slot_isolation=True)
    for cached in (0, 0, 800):
        with seated(router, pool, wish()) as seat:
            assert seat is not None
            seat.reported(cached_tokens=cached, prompt_tokens=1_000)
    errors = router.errors()["p"]
    assert errors.prompt_tokens == 1_000
    assert 100 <= errors.error_tokens <= 200


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.booleans(),
            st.floats(0, 0.5),
            st.integers(0, 3),
            st.sampled_from([None, "a/1", "a/2"]),
        ),
        max_size=60,
    ),
    st.booleans(),
)
def test_nothing_outlives_its_request(steps: list[tuple[int, bool, float, int, str | None]], slotted: bool) -> None:
    """Prompts of all lengths, reported or not, computed or not: never more at a replica than it has room for, and in
    the end all counters are zero."""
    clock = ManualClock()
    pool = slots(replicas=3, concurrency=2) if slotted else blocks(replicas=3, concurrency=3)
    router = Router(clock, slot_isolation=True)
    held: list[Seat] = []
    for number, computed, passed_s, owner, session in steps:
        clock.advance(passed_s)
        pool.replicas[number % 3].down("test") if number == 7 else pool.replicas[number % 3].up(client())
        asked = wish(f"{owner}/", b"%d" % owner * (200 * number), session)
        room = any(one.has_room_for(asked.resident_tokens) for one in pool.replicas)
        seat = router.seat(pool, asked)
        assert (seat is not None) == room
        if seat is not None:
            assert seat.replica.is_ready
            assert seat.replica.occupancy.sequences <= seat.replica.occupancy.sequences_limit
            assert 0 <= seat.predicted_cached_tokens <= asked.prompt_tokens
            held.append(seat)
        if held and number % 2:
            one = held.pop(0)
            if computed:
                one.first_byte()
                one.reported(cached_tokens=number, prompt_tokens=60, generated_tokens=9)
            one.leave()
    for one in held:
        one.leave()
    for replica in pool.replicas:
        assert replica.occupancy.sequences == replica.occupancy.pending_prefill_tokens == 0
        assert replica.occupancy.resident_tokens == 0
    assert all(desk.queue.pending_tokens == 0 for desk in router._pools["p"]._desks) if steps else True
    if steps:
        router._pools["p"]._index.check_integrity()


def test_a_cache_is_as_large_as_its_engine_tells() -> None:
    """Else as the catalog says, else as is believed of all."""
    sizes = []
    for told, kv_tokens in ((2_000, 9_000), (None, 1_500), (None, None)):
        engine = UrlEngine(family=EngineFamily.VLLM, urls=("http://127.0.0.1:1",), served_model="m")
        pool = up(Pool(name="p", engine=engine, concurrency=9, kv_tokens=kv_tokens))
        pool.replicas[0].load = EngineLoad(running=0, waiting=0, scraped_at_s=0, cache_tokens=told)
        router = Router(ManualClock(), slot_isolation=True, cache_tokens=1_000)
        for letter in b"abc":
            taken(router, pool, wish(prompt=bytes([letter]) * 3_812))
        held = [router.forecast(pool, wish(prompt=bytes([letter]) * 3_812)) for letter in b"abc"]
        sizes.append(round(sum(held)))
    assert sizes[0] <= 2_000
    assert sizes[0] >= 953 * 2
    assert 1_000 < sizes[1] <= 1_500
    assert 900 < sizes[2] <= 1_000


def test_among_many_replicas_with_slots_an_owner_is_found_where_it_has_been() -> None:
    """Without looking at all of them; and its first request goes to one that has little to do."""
    pool, router = slots(replicas=40), Router(ManualClock(), slot_isolation=True)
    homes = {owner: taken(router, pool, wish(owner, owner.encode() * 900)) for owner in ("A/", "B/", "C/")}
    assert len(set(homes.values())) == 3
    for owner, home in homes.items():
        assert router.forecast(pool, wish(owner, owner.encode() * 900)) > 0
        with seated(router, pool, wish(owner, owner.encode() * 900)) as seat:
            assert seat is not None
            assert seat.replica.name == home
            assert len(seat.weighing.decision.scores) <= 3


def test_owners_that_were_forgotten_are_the_same_again() -> None:
    """However many come: who shares a cache with whom, and a prompt's links, depend on names alone."""
    router, pool = Router(ManualClock(), slot_isolation=True), slots()
    for number in range(40_000):
        owner = router.owner(pool, f"a{number % 20_000}", None)
        assert owner == f"a{number % 20_000}/"
        if number % 1_000 == 0:
            assert router.chain(owner, PROMPT).links == text_chain(owner, PROMPT).links
        else:
            router.chain(owner, b"")
    assert router.owner(pool, "a", "k") == "a/k" != router.owner(pool, "a", "") == router.owner(pool, "a", None)
