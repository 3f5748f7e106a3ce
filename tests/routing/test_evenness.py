"""What is an even part of what replicas compute, and for which prompts it counts."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.routing.test_router import blocks

from servery.core.clock import ManualClock
from servery.routing.block_index import BlockIndex
from servery.routing.chain import text_chain
from servery.routing.commons import Commons
from servery.routing.desk import Desk
from servery.routing.evenness import Evenness
from servery.routing.lookup import Lookup

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
