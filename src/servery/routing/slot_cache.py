"""The prompt cache of an engine that divides it into slots, such as llama.cpp.

Such an engine keeps one conversation per slot and knows no tenants: whoever is sent to a slot takes over the prefix
that it shares with what lies there. So slots are owned: a request goes to a slot of its owner, or to an empty one, or
to one that is erased first.

    slot   owner   holds (bytes)        a request of A whose prompt begins like slots 0 and 1
    0      A       a: 800, then b: 400  shares 800, would drop 400   worth 800 - 400 x staleness / 2
    1      A       a: 800               shares 800, drops nothing    worth 800
    2      -                            empty                        worth 0
    3      B       c: 900               erased, drops 900            worth - 900 x staleness / 2

The slot that is worth most is taken. What would be dropped counts half, and less the longer nobody used it.
"""

import math

import msgspec

from servery.routing.cache_view import Forecast, Placement
from servery.routing.prefix import PrefixChain, prefix_bytes, shared_bytes

_HALF_LIFE_S = 120.0
_DROPPED_WEIGHT = 0.5


class _Slot(msgspec.Struct):
    """``foreign``: holds what its present owner must not see."""

    owner: str = ""
    chain: PrefixChain = ()
    used_s: float = 0.0
    busy: bool = False
    foreign: bool = False


class SlotCache:
    """What lies in each of ``slots`` slots, and whose it is."""

    def __init__(self, *, slots: int) -> None:
        self._slots = [_Slot() for _ in range(slots)]

    def forecast(self, owner: str, chain: PrefixChain, *, now_s: float) -> Forecast:
        number = self._best(owner, chain, now_s)
        if number is None:
            return Forecast(0.0)
        return self._forecast(self._slots[number], owner, chain, now_s)

    def enter(self, owner: str, chain: PrefixChain, *, now_s: float) -> Placement:
        """Raises IndexError when all slots are busy: a replica has at least as many slots as it may have in flight."""
        number = self._best(owner, chain, now_s)
        if number is None:
            raise IndexError("no slot is free")
        slot = self._slots[number]
        cached_bytes = self._shared(slot, owner, chain)
        slot.foreign = slot.foreign or slot.owner not in {"", owner}
        slot.owner, slot.chain, slot.used_s, slot.busy = owner, chain, now_s, True
        return Placement(number, slot.foreign, cached_bytes)

    def erased(self, placement: Placement) -> None:
        """The slot is empty now. Until this is told, whoever takes the slot must erase it, also after a failure."""
        self._slot_of(placement).foreign = False

    def leave(self, placement: Placement, *, now_s: float) -> None:
        slot = self._slot_of(placement)
        assert slot.busy, "a slot is left once"
        slot.busy = False
        slot.used_s = now_s

    def check_integrity(self) -> None:
        assert all(slot.owner or not slot.chain for slot in self._slots), "what lies in a slot has an owner"

    def _slot_of(self, placement: Placement) -> _Slot:
        assert placement.slot is not None, "a placement in slots names one"
        return self._slots[placement.slot]

    def _best(self, owner: str, chain: PrefixChain, now_s: float) -> int | None:
        """The free slot that is worth most; of equals the one that was used longest ago."""

        def worth(number: int) -> tuple[float, float]:
            slot = self._slots[number]
            forecast = self._forecast(slot, owner, chain, now_s)
            return forecast.cached_bytes - forecast.dropped_bytes, -slot.used_s

        return max((number for number, slot in enumerate(self._slots) if not slot.busy), key=worth, default=None)

    def _forecast(self, slot: _Slot, owner: str, chain: PrefixChain, now_s: float) -> Forecast:
        shared = self._shared(slot, owner, chain)
        # A prompt shorter than a block still fills its slot: count it as one.
        held = prefix_bytes(max(len(slot.chain), 1)) if slot.owner else 0
        kept = _DROPPED_WEIGHT * math.exp2((slot.used_s - now_s) / _HALF_LIFE_S)
        return Forecast(shared, kept * (held - shared))

    def _shared(self, slot: _Slot, owner: str, chain: PrefixChain) -> int:
        return 0 if slot.owner != owner or slot.foreign else shared_bytes(slot.chain, chain)
