"""One replica as the router sees it: what it has to compute, how fast it is, and what its cache is believed to hold."""

from servery.fleet.replica import Replica
from servery.routing.block_index import BlockIndex, Lookup
from servery.routing.least_busy import LeastBusy
from servery.routing.prefill_queue import PrefillQueue
from servery.routing.prefill_rate import PoolRate, PrefillRate
from servery.routing.slot_cache import SlotCache
from servery.routing.wish import Wish

PRESSURE_TOKENS = 1_000.0
"""A replica whose memory or sequences are all in use counts as having so many prompt tokens more to compute."""
_SAME_S = 0.005


class Desk:
    """Replica ``number`` of its pool. ``slots`` is None where its engine shares blocks; those are in the pool's
    ``index``. ``is_away``: not to be found as least busy, because it had no room when it was looked at.
    """

    __slots__ = (
        "_index",
        "_order",
        "_shown_done_s",
        "computed_tokens",
        "incarnation",
        "is_away",
        "number",
        "queue",
        "rate",
        "replica",
        "slots",
        "tells_cached",
    )

    def __init__(
        self, replica: Replica, *, number: int, index: BlockIndex, order: LeastBusy, pool_rate: PoolRate
    ) -> None:
        self.replica = replica
        self.number = number
        self.incarnation = replica.incarnation
        self.rate = PrefillRate(pool_rate)
        self.queue = PrefillQueue(rate=self.rate.tokens_per_s)
        self.slots: SlotCache | None = None
        self.computed_tokens = 0.0
        self.tells_cached = False
        self.is_away = False
        self._index = index
        self._order = order
        self._shown_done_s = 0.0

    @property
    def pressure_s(self) -> float:
        """What its streams cost a prompt that is sent there, more the fuller it is."""
        occupancy = self.replica.occupancy
        share = (occupancy.sequences + occupancy.other_sequences) / (occupancy.sequences_limit or 1)
        limit = occupancy.tokens_limit
        if limit:
            share = max(share, (occupancy.resident_tokens + occupancy.other_tokens) / limit)
        return PRESSURE_TOKENS * share / self.queue.rate

    def busy_s(self, now_s: float) -> float:
        """Until a prompt that is sent there now would be begun."""
        queue = self.queue
        return queue.backlog_s(now_s) + self.pressure_s if queue.pending_tokens else self.pressure_s

    def forecast(self, wish: Wish, lookup: Lookup) -> tuple[float, float]:
        """How much of the prompt its cache holds, and what it would drop for it, in the chain's unit."""
        if self.slots is not None:
            forecast = self.slots.forecast(wish.owner, wish.chain)
            return forecast.cached, forecast.dropped
        return self._index.forecast(lookup, self.number)

    def put(self) -> None:
        """Show in the order of the least busy how busy it is now."""
        self.is_away = False
        self.queue.rate = self.rate.tokens_per_s
        self._shown_done_s = self.queue.done_s
        self._order.put(
            self.number, done_s=self._shown_done_s, pressure_s=self.pressure_s, computed_tokens=self.computed_tokens
        )

    def put_if_changed(self) -> None:
        """The same, where what it has to compute has turned out otherwise than was shown."""
        if abs(self.queue.done_s - self._shown_done_s) > _SAME_S:
            self.put()

    def take_away(self) -> None:
        self.is_away = True
        self._order.take_away(self.number)

    def renew(self, slots: SlotCache | None) -> None:
        """The engine was started anew: its cache is empty, and it computes nothing. How fast it was is kept."""
        self.incarnation = self.replica.incarnation
        self.queue = PrefillQueue(rate=self.queue.rate)
        self.slots = slots
        self._index.forget(self.number)
        self.put()
