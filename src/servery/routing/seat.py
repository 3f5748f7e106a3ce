"""One in-flight share of a replica, for as long as its request is there."""

from servery.routing.block_index import Stay
from servery.routing.contest import Contest
from servery.routing.desk import Desk
from servery.routing.placement import Placement


class Seat:
    """Taken by ``Router.seat``, and left once by who took it.

    ``replica`` and ``placement`` are where the request goes, ``weighing`` is why. ``cached`` of its prompt, in the
    chain's unit, is believed to lie there, which are ``predicted_cached_tokens``.
    """

    __slots__ = (
        "_desk",
        "_is_computed",
        "_is_home",
        "_is_refused",
        "_length",
        "_prefill_s",
        "_prompt",
        "_resident_tokens",
        "_sent_s",
        "_service_s",
        "_slots",
        "_stay",
        "_uncached_tokens",
        "_units_per_token",
        "_wish",
        "cached",
        "placement",
        "replica",
        "weighing",
    )

    def __init__(self, desk: Desk, contest: Contest, *, placement: Placement, stay: Stay | None, stamp: int) -> None:
        cached = placement.cached if stay is None else stay.predicted
        self.replica = desk.replica
        self.placement = placement
        self.cached = cached
        # The contest itself is let go of while it is warm.
        self._wish = wish = contest.wish
        self.weighing = contest.weighing
        self._sent_s = contest.now_s
        self._length = contest.length
        self._units_per_token = contest.units_per_token
        self._resident_tokens = contest.resident_tokens
        self._desk = desk
        self._slots = desk.slots
        self._stay = stay
        self._service_s: float | None = None
        self._prefill_s: float | None = None
        self._is_computed = False
        home = contest.home
        self._is_home = home is not None and desk.number == home
        self._is_refused = False
        uncached = contest.length - cached
        self._uncached_tokens = tokens = (uncached if uncached > 1.0 else 1.0) / contest.units_per_token
        desk.commons.in_flight += 1
        desk.occupancy.enter(contest.resident_tokens)
        self._prompt = desk.enter(stamp, tokens, contest.now_s, is_silent=not wish.tells_first_token)

    @property
    def owner(self) -> str:
        return self._wish.owner

    @property
    def predicted_cached_tokens(self) -> float:
        return self.cached / self._units_per_token

    def first_byte(self) -> None:
        """The prompt has been computed."""
        self._is_computed = True
        desk = self._desk
        now_s = desk.commons.now_s()
        service_s = desk.queue.computed(self._prompt, sent_s=self._sent_s, now_s=now_s)
        if service_s is not None:
            self._service_s = service_s
            desk.eased()

    def erased(self) -> None:
        """The slot that ``placement`` wanted empty is so."""
        if self._slots is not None:
            self._slots.erased(self.placement)

    def refused(self) -> None:
        """The engine answered with an error, or not at all: whatever was not computed before is not now."""
        self._is_refused = True

    def answered(self, *, prefill_s: float | None = None) -> None:
        """All of the answer is there, so the prompt was computed, whether or not anybody saw a first byte. The engine
        may have told how long that took, ``prefill_s``; of an answer that has but one token, or none, it shows."""
        if not self._is_computed and self._wish.tells_first_token:
            self.first_byte()
        self._is_computed = True
        self._prefill_s = prefill_s

    def reported(self, *, cached_tokens: int, prompt_tokens: int, generated_tokens: int = 0) -> None:
        """What the engine told at the end. An engine that never told of cached tokens is not believed to tell of none.

        The report is a share of the prompt's tokens; that share of the chain is what was cached, whatever its unit.
        """
        desk = self._desk
        if cached_tokens:
            desk.tells_cached = True
        length = self._length
        answer = generated_tokens * self._units_per_token
        if self._slots is not None:
            self._slots.answered(self.placement, answer)
        elif self._stay is not None:
            desk.commons.index.answered(self._stay, answer)
        if not prompt_tokens or not length:
            return
        predicted = min(self.cached / length, 1.0) * prompt_tokens
        if self._is_home:
            desk.commons.home.learn(
                predicted_tokens=predicted, reported_tokens=cached_tokens, is_told=desk.tells_cached
            )
        if not desk.tells_cached:
            return
        desk.commons.errors.add(predicted_tokens=predicted, reported_tokens=cached_tokens, prompt_tokens=prompt_tokens)
        self._uncached_tokens = float(max(1, prompt_tokens - cached_tokens))
        if self._stay is not None:
            desk.commons.index.correct(self._stay, cached_tokens / prompt_tokens * length)
        elif self._slots is not None:
            self._slots.correct(predicted=predicted, reported=cached_tokens)

    def leave(self) -> None:
        """Once, when the request is over. A prompt that has not been computed by then is not there for others."""
        desk, service_s = self._desk, self._service_s
        desk.commons.in_flight -= 1
        desk.occupancy.leave(self._resident_tokens)
        if self._slots is not None:
            self._slots.leave(self.placement)
        if service_s is None:
            queue, now_s = desk.queue, desk.commons.now_s()
            tokens = 0.0 if self._is_refused else queue.computed_tokens(self._prompt, now_s)
            queue.gone(self._prompt, now_s)
            desk.eased()
            if not self._is_computed:
                self._withdraw(tokens)
            elif self._prefill_s is not None:
                desk.learn(self._uncached_tokens, self._prefill_s)
        else:
            desk.learn(self._uncached_tokens, service_s)
            if desk.is_away:
                desk.put()

    def _withdraw(self, tokens: float) -> None:
        """Keep what had been there before, and ``tokens`` that should have been computed since."""
        desk = self._desk
        computed = self.cached + tokens * self._units_per_token
        if computed >= self._length:
            return
        if self._slots is not None:
            self._slots.withdraw(self.placement, computed)
        elif self._stay is not None:
            desk.commons.index.withdraw(self._stay, computed, oldest=desk.queue.oldest)
