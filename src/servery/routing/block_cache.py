"""The prompt cache of an engine that shares blocks between requests, such as vLLM and SGLang.

Inferred: what was sent there is believed to be there, the least recently used block forgotten first.
"""

from collections import OrderedDict

from servery.routing.cache_view import Forecast, Placement
from servery.routing.prefix import PrefixChain, prefix_bytes

DEFAULT_BLOCKS = 65_536


class BlockCache:
    """At most ``blocks`` blocks are remembered."""

    def __init__(self, *, blocks: int = DEFAULT_BLOCKS) -> None:
        self._limit = blocks
        self._held: OrderedDict[int, None] = OrderedDict()

    def forecast(self, owner: str, chain: PrefixChain) -> Forecast:
        return Forecast(self._cached_bytes(chain))

    def enter(self, owner: str, chain: PrefixChain) -> Placement:
        cached_bytes = self._cached_bytes(chain)
        for link in reversed(chain):  # the start of a prompt is used last, so that it is forgotten last
            self._held[link] = None
            self._held.move_to_end(link)
        while len(self._held) > self._limit:
            self._held.popitem(last=False)
        return Placement(cached_bytes=cached_bytes)

    def erased(self, placement: Placement) -> None:
        """Nothing is ever asked to be erased here."""

    def leave(self, placement: Placement) -> None:
        """Blocks stay after a request."""

    def _cached_bytes(self, chain: PrefixChain) -> int:
        found = 0
        for link in chain:
            if link not in self._held:
                break
            found += 1
        return prefix_bytes(found)
