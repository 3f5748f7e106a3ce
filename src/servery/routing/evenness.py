"""What replicas have computed of late, beside each other.

Three things keep it even. All that one has computed beyond the least counts a little, for every prompt; with slots at
most as much as the prompt would cost there, so that who has one is not torn from it. What it has computed beyond an
even part counts much, for prompts that leave nothing of their own behind: what is known of them lies at several
replicas, or nowhere. So no conversation is torn from its history for the sake of evenness, but new ones begin
elsewhere; and a beginning that many share comes to lie where others compute less, where it is computed once, and used
by all who come later.

A beginning that lies at one replica alone may be long, and is computed once more only where that pays: when half as
much work came there beyond an even part as it costs to compute the beginning elsewhere. The whole of it is paid off
then. So all such moves together cost hardly more than the work by which replicas were uneven.

The first two are not from a source, but found by replaying workloads. The third is page replication by counting (Black
and Sleator, 1989), as the well-known choice between renting and buying.
"""

from collections.abc import Sequence
from math import inf
from typing import Final

from servery.routing.desk import Desk
from servery.routing.lookup import Lookup

_EVEN: Final = 1.05
"""So many times the mean is even."""
_PART: Final = 1.1
"""And so many times it is what a replica may compute without an excess."""
_KEPT: Final = 0.995
"""Of an excess, each time that all are looked at: some sixteen hundred requests of a replica count."""


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
        serving = [desk for desk in desks if desk.replica.is_ready]
        part_s = _PART * sum([desk.fresh_tokens / desk.queue.rate for desk in serving]) / (len(serving) or 1)
        for desk in serving:
            desk.excess_s = _KEPT * desk.excess_s + desk.fresh_tokens / desk.queue.rate - part_s
            desk.fresh_tokens = 0.0

    def even_s(self, lookup: Lookup, *, is_shared: bool) -> float:
        """So long a replica may have computed of late and be even, for such a prompt; inf for one that would leave
        something behind. ``is_shared``: other gateways may have sent its session home, of which nothing is known here.
        """
        return inf if is_shared or lookup.only_holder is not None else self._even_s

    @staticmethod
    def beginning_at(lookup: Lookup, *, is_shared: bool) -> int | None:
        """The one replica where all that is known of a prompt lies, if that is a beginning which others share."""
        return None if is_shared else lookup.beginning_at

    @staticmethod
    def moved(tokens: float, from_desk: Desk, to_desk: Desk) -> None:
        """So much of a beginning is computed once more, which neither of them counts."""
        if from_desk.excess_s > 0.0:
            from_desk.excess_s -= tokens / to_desk.queue.rate
            to_desk.fresh_tokens -= tokens
