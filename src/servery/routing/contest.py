"""The replicas that are weighed for one request."""

from collections.abc import Collection
from math import inf
from typing import Final

from servery.core.acyclic import acyclic
from servery.routing.desk import Desk
from servery.routing.lookup import Lookup
from servery.routing.weighed import Weighed
from servery.routing.weighing import Weighing
from servery.routing.wish import Wish

_EVENNESS: Final = 0.05
"""So much of what a replica has computed of late, beyond the least that one has, counts as work that it still has."""
_ABOVE_EVEN: Final = 0.3
"""And so much of the time that it took, beyond what is even."""
_WORTH: Final = 2.0
"""So many times its excess is what a beginning may cost to be computed elsewhere: half of it comes after."""


@acyclic
class Contest:
    """``best`` is that of least cost so far, which is ``best_s``; all are in ``weighing``. ``resident_tokens`` is what
    the request will hold of a replica's KV cache at its end; ``uncached_weight`` is how much it counts to compute a
    token again; ``least_computed`` is what each replica has computed of late, ``even_s`` how long it may have computed;
    ``beginning_at`` is the replica where alone a beginning of the prompt lies that others share.
    """

    __slots__ = (
        "avoid",
        "beginning_at",
        "best",
        "best_s",
        "even_s",
        "home",
        "least_computed",
        "length",
        "lookup",
        "now_s",
        "resident_tokens",
        "uncached_weight",
        "units_per_token",
        "weighing",
        "wish",
    )

    def __init__(
        self,
        wish: Wish,
        lookup: Lookup,
        home: int | None,
        avoid: Collection[str],
        now_s: float,
        *,
        names: tuple[str, ...],
        uncached_weight: float,
        least_computed: float,
        even_s: float,
        beginning_at: int | None,
    ) -> None:
        self.wish = wish
        self.lookup = lookup
        self.home = home
        self.avoid = avoid
        self.now_s = now_s
        self.uncached_weight = uncached_weight
        self.least_computed = least_computed
        self.even_s = even_s
        self.beginning_at = beginning_at
        self.length = lookup.chain.length
        self.units_per_token = wish.units_per_token
        self.resident_tokens = wish.resident_tokens
        self.best: Weighed | None = None
        self.best_s = inf
        self.weighing = Weighing(names, length=self.length, units_per_token=self.units_per_token)

    def weigh(self, desk: Desk) -> Weighed | None:
        """None for a replica that has no room."""
        number, weighing = desk.number, self.weighing
        if not desk.has_room_for(self.resident_tokens) or (self.avoid and desk.replica.name in self.avoid):
            weighing.full += (number,)
            return None
        if desk.slots is None:
            cached, dropped = desk.commons.index.forecast(self.lookup, number)
        else:
            found = desk.slots.forecast(self.wish.owner, self.wish.chain)
            cached, dropped = found.cached, found.dropped
        queue = desk.queue
        rate = queue.rate = desk.rate.tokens_per_s
        units_per_s = self.units_per_token * rate
        busy_s = desk.pressure_s + queue.backlog_s(self.now_s)
        dropped_s = dropped / units_per_s
        home = self.home
        discount_s = desk.commons.home.tokens / rate if home is not None and number == home else 0.0
        uncached = self.length - cached
        uncached_s = self.uncached_weight * (uncached if uncached > 1.0 else 1.0) / units_per_s
        computed = desk.computed_tokens
        excess = computed - self.least_computed
        evenness_s = _EVENNESS * excess / rate if excess > 0.0 else 0.0
        if desk.slots is None:
            above_s = computed / rate - self.even_s
            if above_s > 0.0:
                evenness_s += _ABOVE_EVEN * above_s
        elif evenness_s > uncached_s:  # no lookup knows what lies in slots, but who has one is not torn from it
            evenness_s = uncached_s
        beginning_at = self.beginning_at
        if beginning_at is not None and number == beginning_at and desk.excess_s > 0.0:
            evenness_s += _WORTH * desk.excess_s
        cost_s = busy_s + uncached_s + evenness_s + dropped_s - discount_s
        weighed = weighing.last = Weighed(
            number,
            cost_s=cost_s,
            busy_s=busy_s,
            cached=cached,
            dropped_s=dropped_s,
            discount_s=discount_s,
            queued_tokens=queue.pending_tokens,
            computed_tokens=computed,
            before=weighing.last,
        )
        best = self.best
        if cost_s < self.best_s or (best is not None and cost_s == self.best_s and weighed.order < best.order):
            self.best, self.best_s = weighed, cost_s
        return weighed
