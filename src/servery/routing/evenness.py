"""What replicas have computed of late, beside each other.

Two things keep it even. All that one has computed beyond the least counts a little, for every prompt. And what it has
computed beyond an even part counts much, for prompts that leave nothing of their own behind: what is known of them lies
at several replicas, or nowhere. So no conversation is torn from its history for the sake of evenness, but new ones
begin elsewhere; and a beginning that many share comes to lie where others compute less, where it is computed once, and
used by all who come later.

Not from a source: found by replaying workloads.
"""

from collections.abc import Sequence
from math import inf
from typing import Final

from servery.routing.desk import Desk
from servery.routing.lookup import Lookup

_EVEN: Final = 1.05
"""So many times the mean is even."""


class Evenness:
    """A pool's: ``least_tokens`` is what each replica has computed of late."""

    __slots__ = ("_even_s", "least_tokens")

    def __init__(self) -> None:
        self.least_tokens = 0.0
        self._even_s = inf

    def look(self, desks: Sequence[Desk]) -> None:
        """At all of them."""
        self.least_tokens = min([desk.computed_tokens for desk in desks])
        self._even_s = _EVEN * sum([desk.computed_tokens / desk.queue.rate for desk in desks]) / len(desks)

    def even_s(self, lookup: Lookup, *, is_shared: bool) -> float:
        """So long a replica may have computed of late and be even, for such a prompt; inf for one that would leave
        something behind. ``is_shared``: other gateways may have sent its session home, of which nothing is known here.
        """
        levels = lookup.levels
        return inf if is_shared or (levels and levels[0].holders.count == 1) else self._even_s
