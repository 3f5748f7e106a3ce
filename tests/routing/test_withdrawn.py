"""Prompts that leave before they were computed: nobody is sent after them."""

from contextlib import ExitStack
from itertools import permutations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.routing.test_block_index import Sender
from tests.routing.test_router import blocks, seated, slots, wish

from servery.core.clock import ManualClock
from servery.fleet.replica_pool import ReplicaPool
from servery.routing.block_index import Stay
from servery.routing.chain import Chain, block_chain, text_chain
from servery.routing.router import Router
from servery.routing.seat import Seat
from servery.routing.wish import Wish

BLOCKS = st.lists(st.integers(0, 2), max_size=6)
RATE = 4_000.0


def tokens(numbers: list[int]) -> Chain:
    links = [hash(tuple(numbers[: end + 1])) for end in range(len(numbers))]
    return block_chain(links, block_tokens=100, length=100 * len(numbers))


def conversation(numbers: list[int]) -> Chain:
    """Messages of different lengths, so that blocks and marks both matter."""
    roles = ("user", "assistant")
    texts = [{"role": roles[at % 2], "content": str(number) * 300} for at, number in enumerate(numbers)]
    return text_chain("A/", msgspec.json.encode(texts))


STEP = st.tuples(BLOCKS, st.integers(0, 1), st.sampled_from(["stays", "is withdrawn", "is computed later"]))


@settings(deadline=None)
@given(
    st.lists(STEP, min_size=1, max_size=12), st.randoms(use_true_random=False), st.sampled_from([tokens, conversation])
)
def test_the_withdrawn_leave_no_more_than_the_others_brought(steps, random, chained) -> None:
    """Whoever came between, and in whatever order they leave: what is predicted then is at most what it would be if
    those had never come."""
    all_came, without = Sender(), Sender()
    leaving: list[Stay] = []
    pending: set[int] = set()
    for numbers, replica, fate in steps:
        chain = chained(numbers)
        stay = all_came.send(chain, to=replica)
        if fate == "is withdrawn":
            leaving.append(stay)
        else:
            without.send(chain, to=replica)
        if fate != "stays":
            pending.add(stay.stamp)
    random.shuffle(leaving)
    for stay in leaving:
        pending.remove(stay.stamp)
        all_came.index.withdraw(stay, 0.0, oldest=min(pending, default=None))
        all_came.index.check_integrity()
    for numbers, _, _ in steps:
        for replica in (0, 1):
            assert all_came.cached(chained(numbers), at=replica) <= without.cached(chained(numbers), at=replica)


@settings(deadline=None)
@given(BLOCKS, BLOCKS, st.integers(0, 600), st.sampled_from([tokens, conversation]))
def test_what_was_there_stays_and_what_was_computed(
    before: list[int], numbers: list[int], computed: int, chained
) -> None:
    """A prompt that another had begun loses nothing of that, and keeps whole blocks of its own up to where it came."""
    sender, chain = Sender(), chained(numbers)
    sender.send(chained(before))
    there, theirs = sender.cached(chain), sender.cached(chained(before))
    stay = sender.send(chain)
    sender.index.withdraw(stay, there + computed, oldest=None)
    sender.index.check_integrity()
    assert there <= sender.cached(chain) <= there + computed
    assert sender.cached(chained(before)) == theirs


@settings(deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=8), BLOCKS, st.integers(0, 900))
def test_small_caches_hold_together(others: list[list[int]], numbers: list[int], size: int) -> None:
    """Parts of it may have been forgotten meanwhile, and the rest is forgotten in order after it."""
    sender = Sender(size=size)
    stays = [sender.send(tokens(one)) for one in (numbers, *others)]
    sender.index.withdraw(stays[0], 0.0, oldest=2)
    for stay in stays[:0:-1]:
        sender.index.withdraw(stay, 100.0, oldest=None)
        sender.index.check_integrity()
    for one in others:
        sender.send(tokens(one))
        sender.index.check_integrity()


def test_what_is_left_of_a_withdrawn_prompt_is_forgotten_after_what_goes_on_from_it() -> None:
    """Room is made from the ends, also where a path ends earlier than it did."""
    sender = Sender(size=300)
    stays = [sender.send(tokens(one)) for one in ([1, 0], [0, 0], [0, 0, 0], [0])]
    for stay in reversed(stays):
        sender.index.withdraw(stay, 100.0, oldest=None)
    for one in ([1, 0], [0, 0], [0, 0, 0], [0]):
        sender.send(tokens(one))
        sender.index.check_integrity()


def test_one_of_two_siblings_may_be_withdrawn() -> None:
    """The other still brings their prompt; only when it goes too, nothing comes of it."""
    for first in (0, 1):
        sender, chain = Sender(), tokens([1, 2, 3])
        stays = [sender.send(chain), sender.send(chain)]
        sender.index.withdraw(stays.pop(first), 0.0, oldest=stays[0].stamp)
        assert sender.cached(chain) == 300
        sender.index.withdraw(stays[0], 0.0, oldest=None)
        assert sender.cached(chain) == 0


def test_all_that_hangs_on_a_prompt_may_be_withdrawn_in_any_order() -> None:
    """What was kept because of a longer prompt goes when that one goes."""
    for order in permutations(range(3)):
        sender = Sender()
        stays = [sender.send(tokens(numbers)) for numbers in ([1], [1, 0], [1])]
        for at in order:
            left_over = [stays[other].stamp for other in order[order.index(at) + 1 :]]
            sender.index.withdraw(stays[at], 0.0, oldest=min(left_over, default=None))
        assert sender.cached(tokens([1])) == 0


def left(pool: ReplicaPool, router: Router, asked: Wish, *, how: str, clock: ManualClock, after_s: float) -> None:
    """A request that is over after so long, and how."""
    with seated(router, pool, asked, answered=False) as seat:
        assert seat is not None
        clock.advance(after_s)
        _tell(seat, how)


def _tell(seat: Seat, how: str) -> None:
    match how:
        case "first byte":
            seat.first_byte()
        case "whole answer":
            seat.answered()
        case "engine failed":
            seat.refused()
        case "gone":
            pass


LONG = b"".join(b"%8d" % number for number in range(2_000))


def test_a_prompt_that_was_not_computed_is_not_there() -> None:
    """Its client is gone, or it was called back, at once; or its engine failed, however long that took. With a first
    byte, or a whole answer, it is there."""
    for pool in (blocks(), slots()):
        for how, after_s, share in [
            ("gone", 0.0, 0.0),
            ("engine failed", 60.0, 0.0),
            ("first byte", 0.0, 0.7),
            ("whole answer", 0.0, 0.7),
        ]:
            clock = ManualClock()
            router, asked = Router(clock, slot_isolation=True), wish(prompt=LONG)
            left(pool, router, asked, how=how, clock=clock, after_s=after_s)
            cached = router.forecast(pool, asked)
            assert share * asked.prompt_tokens <= cached, how
            assert share or not cached, how


def test_so_much_of_it_is_there_as_could_be_computed() -> None:
    """At the rate that is believed: half a second of a prompt that takes a second."""
    for pool in (blocks(replicas=1), slots(replicas=1)):
        clock = ManualClock()
        router, asked = Router(clock, slot_isolation=True), wish(prompt=LONG)
        left(pool, router, asked, how="gone", clock=clock, after_s=0.5)
        assert 0.3 * RATE <= router.forecast(pool, asked) <= 0.5 * RATE


def test_a_prompt_behind_another_is_not_begun() -> None:
    """However long it waited there."""
    clock, pool = ManualClock(), blocks(replicas=1)
    router, asked = Router(clock, slot_isolation=True), wish("B/", LONG)
    with seated(router, pool, wish(prompt=LONG)) as first:
        assert first is not None
        left(pool, router, asked, how="gone", clock=clock, after_s=30.0)
    assert router.forecast(pool, asked) == 0


def test_what_was_there_before_is_still_there() -> None:
    """A conversation whose next turn is called back goes on from the last one."""
    for pool in (blocks(replicas=1), slots(replicas=1)):
        clock = ManualClock()
        router, one, next_turn = Router(clock, slot_isolation=True), wish(prompt=LONG[:8_192]), wish(prompt=LONG)
        left(pool, router, one, how="first byte", clock=clock, after_s=0.0)
        before = router.forecast(pool, next_turn)
        assert before > 0
        left(pool, router, next_turn, how="gone", clock=clock, after_s=0.0)
        assert router.forecast(pool, next_turn) == before


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 6), st.sampled_from(["gone", "engine failed", "first byte"])),
        max_size=12,
    ),
    st.booleans(),
    st.integers(0, 2),
    st.integers(1, 6),
)
def test_no_sequence_of_requests_makes_more_of_a_prompt_that_left(
    steps: list[tuple[int, int, str]], slotted: bool, owner: int, length: int
) -> None:
    """Whatever came before it and is still there: a request that leaves before its first byte adds nothing to what is
    predicted for its prompt."""
    pool = slots(replicas=1) if slotted else blocks(replicas=2, concurrency=16)
    clock = ManualClock()
    router = Router(clock, slot_isolation=True)
    with ExitStack() as stack:
        for at, (who, size, how) in enumerate(steps):
            asked = wish(f"{who}/", LONG[: 1_000 * size + 1])
            if at % 3 == 0 and (seat := stack.enter_context(seated(router, pool, asked, answered=False))) is not None:
                _tell(seat, how)
            elif not slotted:
                left(pool, router, asked, how=how, clock=clock, after_s=0.0)
        asked = wish(f"{owner}/", LONG[: 1_000 * length])
        before = router.forecast(pool, asked)
        if any(replica.has_room_for(asked.resident_tokens) for replica in pool.replicas):
            left(pool, router, asked, how="gone", clock=clock, after_s=0.0)
        assert router.forecast(pool, asked) <= before
