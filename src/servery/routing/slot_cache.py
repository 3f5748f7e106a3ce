"""The prompt cache of an engine that divides it into slots, such as llama.cpp.

Such an engine keeps one conversation per slot and knows no tenants: whoever is sent to a slot takes over the prefix
that it shares with what lies there, and the rest is dropped. So slots are owned: a request goes on in a slot of its
owner that holds little else than what they share, else it takes the slot that was used longest ago, which is erased
first when it is somebody else's.

    slot   owner   holds (bytes)     last used    a request of A that begins with a
    0      A       a 800, b 400      turn 97      goes on here if no slot is better: 800 shared, 400 dropped
    1      A       a 800             turn 96      goes on here: 800 shared, nothing dropped
    2      A       a 800, c 900      turn 95      never goes on here: more would be dropped than is shared
    3      B       d 900             turn 60      is here if 0 and 1 are busy, once the slot is erased

Turns are the pool's requests, counted over all its replicas. What was used as many turns ago as the pool has slots is
the next that anybody would drop, so dropping it costs nothing; what was used just now counts in full. So a pool's
replicas together keep what was used last, and no clock is needed.
"""

from collections.abc import Sequence

import msgspec

from servery.routing.chain import Chain, agreement
from servery.routing.placement import Placement

_WORTH_A_STRIKE_TOKENS = 64
_STRIKES = 2


class Turns(msgspec.Struct):
    """How many requests a pool has taken, over all its replicas, which share this; and how many slots they have."""

    slots: int
    taken: int = 0


class Forecast(msgspec.Struct, frozen=True):
    """What sending a prompt to a replica would gain and cost, in the chain's unit: the part that its slots hold, and
    what they would drop for it, weighted by how much that is worth."""

    cached: float
    dropped: float = 0.0


class _Slot:
    """``chain`` and the ``answer`` behind it lie in it. ``foreign``: it holds what its present owner must not see."""

    __slots__ = ("answer", "busy", "chain", "foreign", "number", "owner", "used")

    def __init__(self, number: int, *, foreign: bool) -> None:
        self.number = number
        self.owner = ""
        self.chain: Chain | None = None
        self.answer = 0.0
        self.used = -1
        self.busy = False
        self.foreign = foreign

    @property
    def held(self) -> float:
        return 0.0 if self.chain is None else self.chain.length + self.answer


class SlotCache:
    """What lies in each of the slots with the numbers ``slots``, and whose it is. An engine that is not known to
    be ``empty`` may hold anybody's."""

    def __init__(self, *, slots: Sequence[int], turns: Turns, empty: bool = True) -> None:
        self._slots = {number: _Slot(number, foreign=not empty) for number in slots}
        self._turns = turns
        self._strikes = 0

    def forecast(self, owner: str, chain: Chain) -> Forecast:
        slot = self._best(owner, chain)
        if slot is None:
            return Forecast(0.0)
        shared = _shared(slot, owner, chain)
        return Forecast(shared, self._wanted(slot) * max(0.0, slot.held - shared))

    def enter(self, owner: str, chain: Chain) -> Placement:
        """Raises IndexError when all slots are busy: a replica has at least as many slots as it may have in flight."""
        slot = self._best(owner, chain)
        if slot is None:
            raise IndexError("no slot is free")
        cached = _shared(slot, owner, chain)
        slot.foreign = slot.foreign or slot.owner not in {"", owner}
        self._turns.taken += 1
        slot.owner, slot.chain, slot.answer, slot.used, slot.busy = owner, chain, 0.0, self._turns.taken, True
        return Placement(slot.number, slot.foreign, cached)

    def answered(self, placement: Placement, length: float) -> None:
        """So long an answer lies behind the prompt now."""
        self._slot_of(placement).answer = length

    def erased(self, placement: Placement) -> None:
        """The slot is empty now. Until this is told, whoever takes the slot must erase it, also after a failure."""
        self._slot_of(placement).foreign = False

    def withdraw(self, placement: Placement, computed: float) -> None:
        """The prompt leaves, and only so much of it was computed, or had been there before."""
        slot = self._slot_of(placement)
        if slot.chain is not None and computed < slot.chain.length:
            slot.chain = slot.chain.cut(computed)

    def leave(self, placement: Placement) -> None:
        slot = self._slot_of(placement)
        assert slot.busy, "a slot is left once"
        slot.busy = False

    def correct(self, *, predicted: float, reported: float) -> None:
        """So many tokens were cached. When twice running nothing is true of what was predicted, the engine has been
        started anew, and nothing lies in the slots that could be gone on with. Whose they are stays: who is not sure
        erases."""
        if predicted < _WORTH_A_STRIKE_TOKENS or reported > predicted / 2:
            self._strikes = 0 if predicted >= _WORTH_A_STRIKE_TOKENS else self._strikes
            return
        self._strikes += 1
        if self._strikes < _STRIKES:
            return
        self._strikes = 0
        for slot in self._slots.values():
            if not slot.busy:
                slot.chain, slot.answer = None, 0.0

    def check_integrity(self) -> None:
        assert all(slot.owner or slot.chain is None for slot in self._slots.values()), (
            "what lies in a slot has an owner"
        )

    def _slot_of(self, placement: Placement) -> _Slot:
        assert placement.slot is not None, "a placement in slots names one"
        return self._slots[placement.slot]

    def _best(self, owner: str, chain: Chain) -> _Slot | None:
        """The free slot in which most can be gone on with; if there is none for that, the one used longest ago."""
        best, most = None, (0.0, 0.0)
        oldest = None
        for slot in self._slots.values():
            if slot.busy:
                continue
            if oldest is None or slot.used < oldest.used:
                oldest = slot
            if slot.owner == owner:
                shared = _shared(slot, owner, chain)
                if shared and 2 * shared >= slot.held and (best is None or (shared, -slot.held) > most):
                    best, most = slot, (shared, -slot.held)
        return best or oldest

    def _wanted(self, slot: _Slot) -> float:
        """How likely it is, from 0 to 1, that somebody comes back for what lies in the slot."""
        age = self._turns.taken - slot.used
        return max(0.0, 1.0 - age / self._turns.slots) ** 2


def _shared(slot: _Slot, owner: str, chain: Chain) -> float:
    """How much of the prompt lies in the slot for its owner."""
    there = slot.chain
    if there is None or slot.owner != owner or slot.foreign:
        return 0.0
    reach: float = chain.covered(agreement(there, chain))
    if chain.went_on is not None and chain.went_on == there.whole:
        return max(reach, min(chain.length, chain.went_on[1] + slot.answer))
    if chain.whole is not None and chain.whole == there.whole:
        return chain.whole[1]
    if chain.begun is not None and chain.begun in {there.begun, there.whole}:
        return max(reach, chain.begun[1])
    return reach
