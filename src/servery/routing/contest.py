"""The replicas that are weighed for one request."""

from collections.abc import Collection
from math import inf

import msgspec

from servery.routing.block_index import Lookup
from servery.routing.decision import Weighed
from servery.routing.desk import Desk
from servery.routing.wish import Wish

UNCACHED_WEIGHT = 1.05
"""So much longer may siblings wait for each other: whoever comes second finds the prefix that the first computes."""
HOME_DISCOUNT_TOKENS = 1_024.0
UNDECIDED: Weighed = (inf, inf, inf, -1, inf, inf, inf, inf)


class Contest(msgspec.Struct, eq=False):
    """``best`` is that of least cost so far. ``weighed`` are all, by number; None for one that has no room."""

    wish: Wish
    lookup: Lookup
    home: int | None
    avoid: Collection[str]
    now_s: float
    length: int
    units_per_token: float
    resident_tokens: float
    best: Weighed = UNDECIDED
    weighed: dict[int, Weighed | None] = {}

    def weigh(self, desk: Desk) -> Weighed | None:
        """None for a replica that has no room."""
        replica, number = desk.replica, desk.number
        if not replica.has_room_for(self.resident_tokens) or (self.avoid and replica.name in self.avoid):
            self.weighed[number] = None
            return None
        if desk.slots is None:
            cached, dropped = desk.commons.index.forecast(self.lookup, number)
        else:
            found = desk.slots.forecast(self.wish.owner, self.wish.chain)
            cached, dropped = found.cached, found.dropped
        queue = desk.queue
        rate = queue.rate = desk.rate.own or desk.commons.rate.tokens_per_s
        units_per_s = self.units_per_token * rate
        busy_s = desk.pressure_s
        if queue.oldest is not None:
            busy_s += queue.backlog_s(self.now_s)
        dropped_s = dropped / units_per_s
        discount_s = HOME_DISCOUNT_TOKENS / rate if number == self.home else 0.0
        uncached = self.length - cached
        cost_s = busy_s + UNCACHED_WEIGHT * (uncached if uncached > 1.0 else 1.0) / units_per_s + dropped_s - discount_s
        computed_tokens, queued_tokens = desk.computed_tokens, queue.pending_tokens
        weighed = (cost_s, -cached, computed_tokens, number, busy_s, dropped_s, discount_s, queued_tokens)
        self.weighed[number] = weighed
        if weighed < self.best:  # noqa: PLR1730 a call of min costs more here than all else
            self.best = weighed
        return weighed
