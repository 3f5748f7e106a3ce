"""One in-flight share of a replica, for as long as its request is there."""

from collections.abc import Mapping, Sequence

from servery.core.clock import Clock
from servery.routing.block_index import BlockIndex, Stay
from servery.routing.decision import Decision, Score, Weighed
from servery.routing.desk import Desk
from servery.routing.index_error import IndexErrorSum
from servery.routing.placement import Placement
from servery.routing.wish import Wish


class Seat:
    """Taken by ``Router.seat``, and left once by who took it.

    ``replica`` and ``placement`` are where the request goes, ``decision`` is why, ``predicted_cached_tokens`` is how
    much of its prompt is believed to be cached there.
    """

    __slots__ = (
        "_clock",
        "_desk",
        "_desks",
        "_errors",
        "_index",
        "_sent_s",
        "_service_s",
        "_slots",
        "_stamp",
        "_stay",
        "_uncached_tokens",
        "_weighed",
        "_wish",
        "placement",
        "replica",
    )

    def __init__(
        self,
        desk: Desk,
        wish: Wish,
        *,
        placement: Placement,
        stay: Stay | None,
        stamp: int,
        weighed: Mapping[int, Weighed | None],
        desks: Sequence[Desk],
        index: BlockIndex,
        errors: IndexErrorSum,
        clock: Clock,
        now_s: float,
    ) -> None:
        self.replica = desk.replica
        self.placement = placement
        self._weighed = weighed
        self._desks = desks
        self._desk = desk
        self._wish = wish
        self._slots = desk.slots
        self._stay = stay
        self._stamp = stamp
        self._index = index
        self._errors = errors
        self._clock = clock
        self._service_s: float | None = None
        self._sent_s = now_s
        self._uncached_tokens = tokens = max(1.0, wish.chain.length - placement.cached) / wish.units_per_token
        queue, occupancy = desk.queue, desk.replica.occupancy
        queue.enter(stamp, tokens, now_s, is_silent=not wish.tells_first_token)
        occupancy.enter(wish.resident_tokens)
        occupancy.pending_prefill_tokens = queue.pending_tokens
        desk.computed_tokens += tokens
        desk.put()

    @property
    def owner(self) -> str:
        return self._wish.owner

    @property
    def predicted_cached_tokens(self) -> float:
        return self.placement.cached / self._wish.units_per_token

    @property
    def decision(self) -> Decision:
        """All that were weighed, as they stood then."""
        scores = tuple(self._score(one) for one in sorted(filter(None, self._weighed.values())))
        return Decision(scores[0], scores)

    def explain(self) -> str:
        """The decision in one line."""
        return self.decision.told()

    def first_byte(self) -> None:
        """The prompt has been computed."""
        desk = self._desk
        service_s = desk.queue.computed(self._stamp, sent_s=self._sent_s, now_s=self._clock.monotonic_s())
        if service_s is not None:
            self._service_s = service_s
            self._show()

    def erased(self) -> None:
        """The slot that ``placement`` wanted empty is so."""
        if self._slots is not None:
            self._slots.erased(self.placement)

    def reported(self, *, cached_tokens: int, prompt_tokens: int, generated_tokens: int = 0) -> None:
        """What the engine told at the end. An engine that never told of cached tokens is not believed to tell of none.

        The report is a share of the prompt's tokens; that share of the chain is what was cached, whatever its unit.
        """
        desk = self._desk
        if cached_tokens:
            desk.tells_cached = True
        length = self._wish.chain.length
        answer = generated_tokens * self._wish.units_per_token
        if self._slots is not None:
            self._slots.answered(self.placement, answer)
        elif self._stay is not None:
            self._index.answered(self._stay, answer)
        if not desk.tells_cached or not prompt_tokens or not length:
            return
        predicted = min(self.placement.cached / length, 1.0) * prompt_tokens
        self._errors.add(predicted_tokens=predicted, reported_tokens=cached_tokens, prompt_tokens=prompt_tokens)
        self._uncached_tokens = float(max(1, prompt_tokens - cached_tokens))
        if self._stay is not None:
            self._index.correct(self._stay, cached_tokens / prompt_tokens * length)
        elif self._slots is not None:
            self._slots.correct(predicted=predicted, reported=cached_tokens)

    def leave(self) -> None:
        """Once, when the request is over."""
        desk = self._desk
        desk.replica.occupancy.leave(self._wish.resident_tokens)
        if self._service_s is None:
            desk.queue.gone(self._stamp, self._clock.monotonic_s())
        else:
            desk.rate.learn(self._uncached_tokens, self._service_s)
        if self._slots is not None:
            self._slots.leave(self.placement)
        if self._service_s is None or desk.is_away:
            self._show()

    def _show(self) -> None:
        desk = self._desk
        desk.replica.occupancy.pending_prefill_tokens = desk.queue.pending_tokens
        if desk.is_away:
            desk.put()
        else:
            desk.put_if_changed()

    def _score(self, weighed: Weighed) -> Score:
        cost_s, cached, _, number, busy_s, dropped_s, discount_s = weighed
        return Score(
            replica=self._desks[number].replica.name,
            cost_s=cost_s,
            busy_s=busy_s,
            cached_tokens=-cached / self._wish.units_per_token,
            uncached_tokens=(self._wish.chain.length + cached) / self._wish.units_per_token,
            dropped_s=dropped_s,
            discount_s=discount_s,
        )
