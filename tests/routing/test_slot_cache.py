"""Slots: who gets which, and that nobody ever sees what another left."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from servery.routing.chain import Chain, text_chain
from servery.routing.placement import Placement
from servery.routing.slot_cache import SlotCache, Turns

SLOTS = 3
OWNERS = st.sampled_from(["A", "B", "C", "D"])
PROMPTS = st.lists(st.sampled_from([b"a" * 64, b"b" * 64, b"c" * 300]), max_size=4).map(b"".join)


class SlotMachine(RuleBasedStateMachine):
    """The model is the engine itself: what really lies in each slot, erased only when the erasure worked."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = SlotCache(slots=range(SLOTS), turns=Turns(slots=SLOTS))
        self.lies: dict[int, str] = {}  # whose content is in a slot
        self.running: list[tuple[Placement, str, bytes]] = []

    @precondition(lambda self: len(self.running) < SLOTS)
    @rule(owner=OWNERS, prompt=PROMPTS, erasure_works=st.booleans())
    def request(self, owner: str, prompt: bytes, erasure_works: bool) -> None:
        chain = text_chain(owner, prompt)
        forecast = self.cache.forecast(owner, chain)
        placement = self.cache.enter(owner, chain)
        assert placement.slot is not None
        assert placement.slot not in {other.slot for other, _, _ in self.running}, "no slot is given twice"
        assert forecast.cached == placement.cached, "what was forecast is what is found"
        found = self.lies.get(placement.slot)
        assert placement.erase or found in {None, owner}, "what another left is erased before it is used"
        if placement.erase:
            assert placement.cached == 0
            if not erasure_works:
                self.cache.leave(placement)  # the engine was not asked: what lay there lies there still
                return
            self.cache.erased(placement)
        self.lies[placement.slot] = owner
        self.running.append((placement, owner, prompt))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.running))
        self.running.remove(one)
        self.cache.leave(one[0])

    @precondition(lambda self: len(self.running) == SLOTS)
    @rule(owner=OWNERS)
    def one_too_many(self, owner: str) -> None:
        assert self.cache.forecast(owner, text_chain(owner, b"")).cached == 0
        with pytest.raises(IndexError):
            self.cache.enter(owner, text_chain(owner, b""))

    @invariant()
    def holds_together(self) -> None:
        self.cache.check_integrity()


TestSlotMachine = SlotMachine.TestCase
TestSlotMachine.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


# The table of the module's docstring

A800 = b"a" * 800
CONTENTS = {0: ("A", A800 + b"b" * 400), 1: ("A", A800), 2: ("A", A800 + b"c" * 900), 3: ("B", b"d" * 900)}
TURNS_USED = {0: 97, 1: 96, 2: 95, 3: 60}


def chain_of(owner: str, prompt: bytes) -> Chain:
    return text_chain(owner, prompt)


@pytest.fixture
def table() -> SlotCache:
    """The four slots of the table, at turn 97 of a pool of 64 slots."""
    turns = Turns(slots=64)
    cache = SlotCache(slots=range(4), turns=turns)
    for number, turn in sorted(TURNS_USED.items(), key=lambda entry: entry[1]):
        turns.taken = turn - 1
        for other, slot in cache._slots.items():
            slot.busy = other != number
        placement = cache.enter(CONTENTS[number][0], chain_of(*CONTENTS[number]))
        assert placement.slot == number
    for slot in cache._slots.values():
        slot.busy = False
    return cache


def occupy(cache: SlotCache, *numbers: int) -> None:
    for number in numbers:
        cache._slots[number].busy = True


def test_a_request_goes_on_where_nothing_is_dropped(table: SlotCache) -> None:
    """Of two slots with the same prefix, the one that holds nothing else."""
    placement = table.enter("A", chain_of("A", A800 + b"x" * 100))
    assert placement.slot == 1
    assert not placement.erase
    assert 700 <= placement.cached <= 800


def test_else_where_little_is_dropped(table: SlotCache) -> None:
    """The better one is busy: 800 are shared, 400 dropped."""
    occupy(table, 1)
    placement = table.enter("A", chain_of("A", A800 + b"x" * 100))
    assert placement.slot == 0
    assert 700 <= placement.cached <= 800


def test_but_never_where_more_would_be_dropped_than_is_shared(table: SlotCache) -> None:
    """It takes the slot that was used longest ago, and has it erased, though another shares its prefix."""
    occupy(table, 0, 1)
    placement = table.enter("A", chain_of("A", A800 + b"x" * 100))
    assert placement.slot == 3
    assert placement.erase
    assert placement.cached == 0


def test_an_empty_slot_goes_before_any_that_holds_something() -> None:
    """Nothing is lost there, and nothing to erase."""
    cache = SlotCache(slots=range(2), turns=Turns(slots=2))
    first = cache.enter("A", chain_of("A", A800))
    cache.leave(first)
    second = cache.enter("B", chain_of("B", A800))
    assert second.slot != first.slot
    assert not second.erase


def test_dropping_what_was_just_used_costs_most() -> None:
    """In full right away, nothing after as many turns as the pool has slots."""
    turns = Turns(slots=10)
    cache = SlotCache(slots=range(1), turns=turns)
    chain = chain_of("A", A800)
    cache.leave(cache.enter("A", chain))
    other = chain_of("B", b"x" * 100)
    costs = []
    for _ in range(12):
        costs.append(cache.forecast("B", other).dropped)
        turns.taken += 1
    assert costs[0] == chain.length
    assert costs == sorted(costs, reverse=True)
    assert costs[10] == costs[11] == 0
