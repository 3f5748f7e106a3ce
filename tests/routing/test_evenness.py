"""What is an even part of what replicas compute, and for which prompts it counts."""

import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.routing.test_router import blocks, wish

from servery.core.clock import ManualClock
from servery.routing.block_index import BlockIndex
from servery.routing.chain import Chain, block_chain, text_chain
from servery.routing.commons import Commons
from servery.routing.desk import Desk
from servery.routing.evenness import Evenness
from servery.routing.lookup import Lookup
from servery.routing.router import Router

BEGINNING = b"b" * 8_000
NOWHERE = BlockIndex().look_up(text_chain("A/", BEGINNING))


def desks(computed_s: list[float], tokens_per_s: float = 4_000.0) -> list[Desk]:
    """Of replicas that have computed for so long."""
    replicas = blocks(replicas=len(computed_s)).replicas
    commons = Commons(ManualClock(), names=tuple(one.name for one in replicas))
    found = [Desk(one, number=number, commons=commons, order=None) for number, one in enumerate(replicas)]
    for desk, took_s in zip(found, computed_s, strict=True):
        desk.queue.rate = tokens_per_s
        desk.computed_tokens = took_s * tokens_per_s
    return found


def sent_to(replicas: list[int]) -> Lookup:
    """What is known of a conversation after others that begin alike were sent to these replicas."""
    index = BlockIndex()
    for stamp, replica in enumerate(replicas, start=1):
        chain = text_chain("A/", BEGINNING + b"%d" % stamp * 4_000)
        index.enter(index.look_up(chain), replica, stamp=stamp, size=1e9, oldest=None)
    return index.look_up(text_chain("A/", BEGINNING + b"new" * 1_000))


@given(st.lists(st.floats(0.0, 1_000.0), min_size=1, max_size=8), st.floats(100.0, 1e5))
def test_even_is_little_above_the_mean_of_the_time(computed_s: list[float], tokens_per_s: float) -> None:
    """Whatever the replicas' speed; so not all of them are ever above it."""
    evenness, mean_s = Evenness(), sum(computed_s) / len(computed_s)
    evenness.look(desks(computed_s, tokens_per_s))
    assert evenness.even_s(NOWHERE, is_shared=False) == pytest.approx(1.05 * mean_s)
    assert evenness.least_tokens == pytest.approx(min(computed_s) * tokens_per_s)
    assert min(computed_s) <= evenness.even_s(NOWHERE, is_shared=False) + 1e-9


def test_nothing_is_uneven_before_replicas_were_looked_at() -> None:
    """A new pool places its first prompts by their work alone."""
    assert Evenness().even_s(NOWHERE, is_shared=False) == inf


def test_who_would_leave_something_behind_stays() -> None:
    """A prompt of which one replica holds most is not moved for evenness; one is that lies at several, or nowhere."""
    evenness = Evenness()
    evenness.look(desks([10.0, 30.0]))
    assert evenness.even_s(sent_to([0]), is_shared=False) == inf
    assert evenness.even_s(sent_to([0, 0]), is_shared=False) == inf
    assert evenness.even_s(sent_to([0, 1]), is_shared=False) == pytest.approx(21.0)
    assert evenness.even_s(NOWHERE, is_shared=False) == pytest.approx(21.0)


def test_who_may_have_been_elsewhere_stays() -> None:
    """Of a session that other gateways may have sent home nobody knows here what it would leave behind."""
    evenness = Evenness()
    evenness.look(desks([10.0, 30.0]))
    assert evenness.even_s(NOWHERE, is_shared=True) == inf


def test_a_conversation_stays_where_its_history_is() -> None:
    """Though its beginning lies at both replicas."""
    index, evenness = BlockIndex(), Evenness()
    evenness.look(desks([10.0, 30.0]))
    for stamp, replica in enumerate([0, 1], start=1):
        index.enter(index.look_up(text_chain("A/", BEGINNING)), replica, stamp=stamp, size=1e9, oldest=None)
    turn = BEGINNING + b"turn" * 1_000
    index.enter(index.look_up(text_chain("A/", turn)), 1, stamp=3, size=1e9, oldest=None)
    assert evenness.even_s(index.look_up(text_chain("A/", turn + b"next" * 500)), is_shared=False) == inf


def conversation(question: str, *, answer: str | None = None, following: str = "and then?") -> bytes:
    """A document with a question to it; with an answer, its next turn."""
    messages = [{"role": "system", "content": "d" * 8_000}, {"role": "user", "content": question}]
    if answer is not None:
        messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": following}]
    return json.dumps(messages, separators=(",", ":")).encode()


def after(prompts: list[tuple[int, bytes]], asked: bytes) -> Lookup:
    """What is known of a prompt after others were sent to these replicas, and each was answered by ten bytes."""
    index = BlockIndex()
    for stamp, (replica, prompt) in enumerate(prompts, start=1):
        stay = index.enter(index.look_up(text_chain("A/", prompt)), replica, stamp=stamp, size=1e9, oldest=None)
        index.answered(stay, 10.0)
    return index.look_up(text_chain("A/", asked))


def test_a_beginning_that_others_share_may_be_moved_from_where_it_lies_alone() -> None:
    """Two others have gone on from it at one replica. It is none of one, of several replicas, or of a session that
    other gateways may have sent home."""
    asked = conversation("third")
    first, second = conversation("first"), conversation("second")
    shared = after([(1, first), (1, second)], asked)
    assert Evenness.beginning_at(shared, is_shared=False) == 1
    assert Evenness.beginning_at(shared, is_shared=True) is None
    assert Evenness.beginning_at(after([(1, first)], asked), is_shared=False) is None
    assert Evenness.beginning_at(after([(1, first), (0, second)], asked), is_shared=False) is None
    assert Evenness.beginning_at(NOWHERE, is_shared=False) is None


def test_a_history_is_no_beginning() -> None:
    """The next turn of a conversation stays, whoever else went on from its document."""
    turns = [(1, conversation("first")), (1, conversation("second")), (1, conversation("third"))]
    assert Evenness.beginning_at(after(turns, conversation("third", answer="yes")), is_shared=False) is None


def test_blocks_that_an_engine_has_hashed_tell_beginnings_too() -> None:
    """Of three prompts the first twenty blocks are the same; of the fourth's next turn more is."""
    index = BlockIndex()

    def chain(last: int, blocks: int = 21) -> Chain:
        return block_chain([*range(1, 21), *range(last, last + blocks - 20)], block_tokens=16, length=16 * blocks)

    for stamp, last in enumerate((100, 200), start=1):
        index.enter(index.look_up(chain(last)), 1, stamp=stamp, size=1e9, oldest=None)
        assert Evenness.beginning_at(index.look_up(chain(300)), is_shared=False) == (1 if stamp == 2 else None)
    index.enter(index.look_up(chain(300)), 1, stamp=3, size=1e9, oldest=None)
    assert Evenness.beginning_at(index.look_up(chain(300, blocks=22)), is_shared=False) is None


@given(
    st.lists(
        st.tuples(st.lists(st.floats(0.0, 50.0), min_size=3, max_size=3), st.floats(0.1, 100.0), st.integers(0, 2)),
        max_size=40,
    )
)
def test_moves_cost_hardly_more_than_what_was_uneven(rounds: list[tuple[list[float], float, int]]) -> None:
    """A replica pays for each beginning that it gives away, and has to have had half of it in excess: so they cost no
    more than all of its excess, and half of the last one. What is forgotten of a debt adds a little."""
    found, evenness = desks([0.0, 0.0, 0.0], 1_000.0), Evenness()
    spent_s = excess_s = longest_s = 0.0
    for fresh_s, moved_s, to in rounds:
        for desk, seconds in zip(found, fresh_s, strict=True):
            desk.fresh_tokens += seconds * 1_000.0
        evenness.look(found)
        excess_s += max(0.0, fresh_s[0] - sum(fresh_s) / 3)
        if to and 2.0 * found[0].excess_s >= moved_s:
            Evenness.moved(moved_s * 1_000.0, found[0], found[to])
            found[to].fresh_tokens += moved_s * 1_000.0  # it is computed there
            spent_s, longest_s = spent_s + moved_s, max(longest_s, moved_s)
    forgotten_s = 0.005 * len(rounds) * longest_s / 2
    assert spent_s <= excess_s + longest_s / 2 + forgotten_s + 1e-6


def test_a_replica_that_serves_nobody_has_no_part_in_it() -> None:
    """Else all others would seem to compute more than theirs."""
    found, evenness = desks([0.0, 0.0, 0.0], 1_000.0), Evenness()
    found[2].replica.down("gone")
    for _ in range(100):
        for desk in found[:2]:
            desk.fresh_tokens += 1_000.0
        evenness.look(found)
    assert max(desk.excess_s for desk in found) <= 0.0


def test_a_document_that_all_ask_for_comes_to_lie_at_a_second_replica() -> None:
    """Once, when so much work has gathered that it pays; questions are spread from then on, though nobody waits."""
    clock = ManualClock()
    pool = blocks(replicas=2, concurrency=8)
    router = Router(clock, slot_isolation=True)
    computed = {replica.name: 0 for replica in pool.replicas}
    documents = dict(computed)
    for number in range(400):
        asked = wish(prompt=conversation(f"{number} " + "why? " * 60))
        seat = router.seat(pool, asked)
        assert seat is not None, "there is room"
        clock.advance(1.0)
        uncached = (asked.chain.length - seat.cached) / asked.units_per_token
        seat.answered()
        seat.reported(cached_tokens=round(seat.predicted_cached_tokens), prompt_tokens=asked.chain.length // 4)
        seat.leave()
        documents[seat.replica.name] += uncached > 1_000
        computed[seat.replica.name] += 1
    assert documents == dict.fromkeys(documents, 1)
    assert min(computed.values()) >= 120
