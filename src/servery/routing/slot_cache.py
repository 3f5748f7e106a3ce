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

from servery.routing.cache_view import Forecast, Placement
from servery.routing.prefix import PrefixChain, prefix_bytes, shared_bytes


class Turns(msgspec.Struct):
    """How many requests a pool has taken, over all its replicas, which share this; and how many slots they have."""

    slots: int
    taken: int = 0


class _Slot(msgspec.Struct):
    """``foreign``: holds what its present owner must not see."""

    owner: str = ""
    chain: PrefixChain = ()
    used: int = -1
    busy: bool = False
    foreign: bool = False

    @property
    def held_bytes(self) -> int:
        return prefix_bytes(len(self.chain))


class SlotCache:
    """What lies in each of the slots with the numbers ``slots``, and whose it is. An engine that is not known to
    be ``empty`` may hold anybody's."""

    def __init__(self, *, slots: Sequence[int], turns: Turns, empty: bool = True) -> None:
        self._slots = {number: _Slot(foreign=not empty) for number in slots}
        self._turns = turns

    def forecast(self, owner: str, chain: PrefixChain) -> Forecast:
        number = self._best(owner, chain)
        if number is None:
            return Forecast(0.0)
        slot = self._slots[number]
        shared = self._shared(slot, owner, chain)
        return Forecast(shared, self._wanted(slot) * (slot.held_bytes - shared))

    def enter(self, owner: str, chain: PrefixChain) -> Placement:
        """Raises IndexError when all slots are busy: a replica has at least as many slots as it may have in flight."""
        number = self._best(owner, chain)
        if number is None:
            raise IndexError("no slot is free")
        slot = self._slots[number]
        cached_bytes = self._shared(slot, owner, chain)
        slot.foreign = slot.foreign or slot.owner not in {"", owner}
        self._turns.taken += 1
        slot.owner, slot.chain, slot.used, slot.busy = owner, chain, self._turns.taken, True
        return Placement(number, slot.foreign, cached_bytes)

    def erased(self, placement: Placement) -> None:
        """The slot is empty now. Until this is told, whoever takes the slot must erase it, also after a failure."""
        self._slot_of(placement).foreign = False

    def leave(self, placement: Placement) -> None:
        slot = self._slot_of(placement)
        assert slot.busy, "a slot is left once"
        slot.busy = False

    def check_integrity(self) -> None:
        assert all(slot.owner or not slot.chain for slot in self._slots.values()), "what lies in a slot has an owner"

    def _slot_of(self, placement: Placement) -> _Slot:
        assert placement.slot is not None, "a placement in slots names one"
        return self._slots[placement.slot]

    def _best(self, owner: str, chain: PrefixChain) -> int | None:
        """The free slot in which most can be gone on with; if there is none for that, the one used longest ago."""
        free = [number for number, slot in self._slots.items() if not slot.busy]
        going_on = {}
        for number in free:
            shared = self._shared(self._slots[number], owner, chain)
            if shared and 2 * shared >= self._slots[number].held_bytes:
                going_on[number] = (shared, -self._slots[number].held_bytes)
        if going_on:
            return max(going_on, key=going_on.__getitem__)
        return min(free, key=lambda number: self._slots[number].used, default=None)

    def _wanted(self, slot: _Slot) -> float:
        """How likely it is, from 0 to 1, that somebody comes back for what lies in the slot."""
        age = self._turns.taken - slot.used
        return max(0.0, 1.0 - age / self._turns.slots) ** 2

    def _shared(self, slot: _Slot, owner: str, chain: PrefixChain) -> int:
        return 0 if slot.owner != owner or slot.foreign else shared_bytes(slot.chain, chain)
