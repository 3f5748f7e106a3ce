"""What one replica's prompt cache is believed to hold."""

from typing import Protocol

import msgspec

from servery.routing.prefix import PrefixChain


class Forecast(msgspec.Struct, frozen=True):
    """What sending a prompt to a replica would gain and cost, in bytes of prompt: the part that its cache holds, and
    what the cache would drop for it, weighted by how much that is worth."""

    cached_bytes: float
    dropped_bytes: float = 0.0


class Placement(msgspec.Struct, frozen=True):
    """Where a request goes in a replica's cache. ``erase`` asks for the slot to be emptied first, because another
    owner's prompt lies there."""

    slot: int | None = None
    erase: bool = False
    cached_bytes: int = 0


class CacheView(Protocol):
    """A belief: what was sent there lies there, until it is dropped for something else."""

    def forecast(self, owner: str, chain: PrefixChain) -> Forecast: ...

    def enter(self, owner: str, chain: PrefixChain) -> Placement:
        """Decide the place of a request that is sent now."""
        ...

    def erased(self, placement: Placement) -> None:
        """What the placement asked to be erased is gone."""
        ...

    def leave(self, placement: Placement) -> None:
        """The request of ``placement`` is over."""
        ...
