"""One replica as the router sees it: what it has to compute, how fast it is, and what its cache is believed to hold."""

from math import inf
from typing import Final

from servery.fleet.replica import Replica
from servery.routing.commons import Commons
from servery.routing.least_busy import LeastBusy, Standing
from servery.routing.prefill_queue import PrefillQueue, Prompt
from servery.routing.prefill_rate import PrefillRate
from servery.routing.slot_cache import SlotCache

PRESSURE_TOKENS: Final = 1_000.0
"""A replica whose memory or sequences are all in use counts as having so many prompt tokens more to compute."""
_SAME_S: Final = 0.005
_MOST_OF_REPORT_TOKENS: Final = 16_384.0
"""So much of what an engine reports weighs at most: as a few prompts."""


class Desk(Standing):
    """Replica ``number`` of its pool. ``slots`` is None where its engine shares blocks; those are in the pool's
    index. ``fresh_tokens`` it has computed since evenness was looked at, and ``excess_s`` beyond its part before, as
    far as nothing was moved for it. ``is_away``: not to be found as least busy, because it had no room when it was
    looked at. ``is_sound``: its replica can serve, and was not seen to fail; ``look_at_replica`` keeps this. The
    ``order`` of the least busy is None where there is no other.
    """

    __slots__ = (
        "_has_learned",
        "_is_ready",
        "_order",
        "_told",
        "commons",
        "excess_s",
        "fresh_tokens",
        "incarnation",
        "is_away",
        "is_sound",
        "number",
        "occupancy",
        "queue",
        "rate",
        "replica",
        "slots",
        "tells_cached",
    )

    def __init__(self, replica: Replica, *, number: int, commons: Commons, order: LeastBusy | None) -> None:
        super().__init__()
        self.replica = replica
        self.occupancy = replica.occupancy
        self.number = number
        self.commons = commons
        self.incarnation = replica.incarnation
        self.rate = PrefillRate(commons.rate)
        self.queue = PrefillQueue(rate=self.rate.tokens_per_s)
        self.slots: SlotCache | None = None
        self.tells_cached = False
        self.fresh_tokens = 0.0
        self.excess_s = 0.0
        self.is_away = False
        self.is_sound = False
        self._is_ready = False
        self._has_learned = False
        self._told: tuple[float, float] | None = None
        self._order = order
        self.occupancy.backlog = self

    @property
    def pressure_s(self) -> float:
        """What its streams cost a prompt that is sent there, more the fuller it is, whatever its engine reports."""
        occupancy = self.occupancy
        share = (occupancy.sequences + occupancy.other_sequences) / (occupancy.sequences_limit or 1)
        limit = occupancy.tokens_limit
        if limit:
            resident = (occupancy.resident_tokens + occupancy.other_tokens) / limit
            if resident > share:  # noqa: PLR1730 a call of max costs more here than all else
                share = resident
        if share > 1.0:  # noqa: PLR1730 as above
            share = 1.0
        return PRESSURE_TOKENS * share / self.queue.rate

    def look_at_replica(self) -> int:
        """Its state or its circuit may have changed. Returns by how many more replicas are ready for it: 1, 0 or -1."""
        replica, was_ready = self.replica, self._is_ready
        self._is_ready = is_ready = replica.is_ready
        self.is_sound = is_ready and replica.circuit.is_closed
        return is_ready - was_ready

    def has_room_for(self, tokens: float) -> bool:
        """As the replica's, which is asked only where that is not plain."""
        return self.occupancy.has_room_for(tokens) if self.is_sound else self.replica.has_room_for(tokens)

    def enter(self, number: int, tokens: float, now_s: float, *, is_silent: bool) -> Prompt:
        """Request ``number`` is sent there, with so many uncached prompt tokens."""
        queue = self.queue
        prompt = queue.enter(number, tokens, now_s, is_silent=is_silent)
        self.occupancy.pending_prefill_tokens = queue.pending_tokens
        self.computed_tokens += tokens
        self.fresh_tokens += tokens
        self.done_s = queue.done_s
        if self.is_away or self.shown_done_s <= now_s:  # it may be shown as having nothing to do
            self.put()
        return prompt

    def eased(self) -> None:
        """It has less to compute than it had, or fewer streams."""
        queue = self.queue
        self.occupancy.pending_prefill_tokens = queue.pending_tokens
        self.done_s = queue.done_s
        if self.is_away or self.shown_done_s - self.done_s > _SAME_S:
            self.put()

    def prompts_wait_s(self, now_s: float, *, beside: float) -> float:
        """As ``fleet.occupancy.Backlog``. Where no replica's speed is known, and nothing that was sent will tell, how
        long that takes is nobody's guess."""
        queue = self.queue
        sent_s = queue.backlog_s(now_s) if queue.telling or self.rate.is_learned else 0.0
        return sent_s + beside / queue.rate

    def learn(self, tokens: float, service_s: float) -> None:
        """A prompt of so many uncached tokens had the engine for so long."""
        self._has_learned = True
        self.rate.learn(tokens, service_s)

    def look_at_report(self) -> None:
        """Learn how fast it is from its engine's own sums, where no prompt has told since the report before. Where the
        engine computes several at once, those make it slower than it is."""
        load = self.replica.load
        told = None if load is None else load.prefilled
        before, self._told = self._told, told
        if told is None or before is None or told == before:
            return
        tokens, seconds = told[0] - before[0], told[1] - before[1]
        if not self._has_learned and 0.0 < tokens < inf and 0.0 < seconds < inf:
            weight = min(1.0, _MOST_OF_REPORT_TOKENS / tokens)
            self.rate.learn(weight * tokens, weight * seconds)
        self._has_learned = False

    def put(self) -> None:
        """Show in the order of the least busy how busy it is now."""
        self.is_away = False
        self.queue.rate = self.rate.tokens_per_s
        self.done_s = self.queue.done_s
        if self._order is not None:
            self._order.put(self.number)

    def take_away(self) -> None:
        self.is_away = True
        if self._order is not None:
            self._order.take_away(self.number)

    def renew(self, slots: SlotCache | None) -> None:
        """The engine was started anew: its cache is empty, and it computes nothing. How fast it was is kept."""
        self.incarnation = self.replica.incarnation
        self.queue.clear()
        self.queue = PrefillQueue(rate=self.queue.rate)
        self.slots = slots
        self.commons.index.forget(self.number)
        self.put()
