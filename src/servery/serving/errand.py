"""One branch of a request on its way to an engine: what it is, what it asks for, what it holds."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from servery.admission.demand import Demand
from servery.admission.gate import Place
from servery.catalog.offer import Offer
from servery.core.caller import Caller
from servery.core.errors import EngineBroke, EngineTimeout, EngineUnavailable, ServeryError
from servery.core.inference import Embedding, Work
from servery.core.nearest import nearest
from servery.core.serving_path import ServingClass, ServingPath
from servery.engines.asker import Asker
from servery.engines.exchange import Exchange
from servery.engines.tally import Tally
from servery.fleet.circuit import Trial
from servery.routing.seat import Seat
from servery.routing.wish import Wish
from servery.serving.journey import Branch, Journey
from servery.serving.recall import Recall

# Looked up for each request; from its class a member comes a good deal slower.
_PRIORITY: Final = ServingPath.PRIORITY
_PRIORITY_CLASS: Final = ServingClass.PRIORITY
_STANDARD_CLASS: Final = ServingClass.STANDARD


class Errand:
    """Served in ``task``. ``cached_tokens`` of its prompt are believed to be in some replica's cache; it was sent
    elsewhere for want of an answer ``retries`` times."""

    __slots__ = (
        "branch",
        "caller",
        "demand",
        "journey",
        "offer",
        "recall",
        "retries",
        "serving_class",
        "wish",
    )

    def __init__(
        self,
        caller: Caller,
        offer: Offer,
        journey: Journey,
        *,
        branch: Branch,
        wish: Wish,
        cached_tokens: float,
        task: asyncio.Task[Any],
    ) -> None:
        self.caller = caller
        self.offer = offer
        self.journey = journey
        self.branch = branch
        self.serving_class = _PRIORITY_CLASS if offer.path is _PRIORITY else _STANDARD_CLASS
        self.wish = wish
        branch.prompt_tokens_guess = min(nearest(wish.prompt_tokens), offer.context_length)
        self.demand = Demand(
            account=caller.account,
            serving_class=self.serving_class,
            prompt_tokens=wish.prompt_tokens,
            uncached_prompt_tokens=max(0.0, wish.prompt_tokens - cached_tokens),
            generated_tokens=wish.generated_tokens,
            weights=offer.work_weights,
            session=journey.request.session,
        )
        self.recall = Recall(task)
        self.retries = 0

    @property
    def work(self) -> float:
        """What it has really asked of an engine, in the unit of its demand; nothing where none answered."""
        tally = self.branch.tally
        return 0.0 if tally is None else self.demand.weights.work(tally.usage())


class Visit(Asker):
    """What an errand holds while it is at a replica, until ``end``.

    Of several visits that race, ``claim`` tells which has the first byte (``on_claim`` hears of it), and the tally of
    the one that ``counts`` is the branch's.
    """

    __slots__ = (
        "_asked_s",
        "_empties_slot",
        "_errand",
        "_exchange",
        "_is_over",
        "_place",
        "_tally",
        "_trial",
        "counts",
        "on_claim",
        "seat",
    )

    def __init__(self, errand: Errand, place: Place, seat: Seat) -> None:
        self.seat = seat
        self.counts = True
        self.on_claim: Callable[[Visit], None] | None = None
        self._errand = errand
        self._place = place
        self._tally: Tally | None = None
        self._asked_s = 0.0
        self._empties_slot = False
        self._exchange: Exchange | None = None
        self._is_over = False
        self._trial: Trial = seat.replica.circuit.begin()
        place.replica = seat.replica

    def asks(self, tally: Tally, *, empties_slot: bool) -> None:
        """The engine is about to be asked; ``tally`` counts what it answers. ``empties_slot``: see ``CachePlace``."""
        self._tally = tally
        self._empties_slot = empties_slot
        self._asked_s = self._errand.journey.elapsed_s
        if self.counts:
            self._errand.branch.tally = tally

    def count(self) -> None:
        """From now on its tally is the branch's."""
        self.counts = True
        self._errand.branch.tally = self._tally

    def claim(self) -> None:
        """It has the first byte, or the whole answer. May be called again."""
        if self.on_claim is not None:
            on_claim, self.on_claim = self.on_claim, None
            on_claim(self)
            self.count()
            self._errand.journey.answered_at(self.seat)

    def runs(self, exchange: Exchange) -> None:
        """The engine has been asked."""
        self._exchange = exchange
        self._errand.recall.runs(exchange)
        self._errand.journey.attach(exchange)

    def ran(self, exchange: Exchange) -> None:
        """The engine has said all, or whatever it says is of no use any more."""
        self._exchange = None
        self._errand.recall.ran(exchange)
        self._errand.journey.detach(exchange)
        exchange.abort()

    def stop(self) -> None:
        """Whatever the engine says is of no use any more; who awaits it raises CancelledError."""
        if self._exchange is not None:
            self._exchange.abort()

    def answered(self) -> None:
        """The engine began to answer, be it with an empty stream."""
        self._trial.answered()
        if not self._errand.journey.request.stream:
            self._place.first_byte()

    def first_event(self) -> None:
        """A stream's first event is about to be passed on."""
        self.claim()
        self.seat.first_byte()
        self._place.first_byte(self._errand.branch.tally)
        self._errand.journey.begin(self._errand.branch)

    def completed(self) -> None:
        """The engine has said all that was asked of it, and how much that was."""
        tally, seat = self._tally, self.seat
        assert tally is not None, "an answer was asked for"
        if tally.is_cut:
            seat.replica.faults[EngineBroke.code] += 1
        seat.answered(prefill_s=tally.prefill_s)
        self._errand.journey.first_token(prefill_s=tally.prefill_s, asked_s=self._asked_s)
        if tally.is_reported:
            usage = tally.usage()
            seat.reported(
                cached_tokens=usage.cached_prompt_tokens,
                prompt_tokens=usage.prompt_tokens,
                generated_tokens=usage.generated_tokens,
            )

    def failed(self, error: ServeryError) -> None:
        """It came to nothing: a fault of the engine if it could not be reached, did not answer in time, or gave an
        answer that is none."""
        if isinstance(error, EngineUnavailable | EngineTimeout | EngineBroke):
            self.seat.replica.faults[error.code] += 1
            if not isinstance(error, EngineBroke):
                self._trial.failed()

    def end(self) -> None:
        """May be called again."""
        if not self._is_over:
            self._is_over = True
            self._trial.end()
            if self._empties_slot and self._has_begun_afresh:
                self.seat.erased()
            self.seat.leave()

    @property
    def _has_begun_afresh(self) -> bool:
        """Whether the engine told of a prompt, and that nothing of it had lain there. An empty one takes no slot."""
        prompt = None if self._tally is None else self._tally.prompt
        return prompt is not None and prompt[0] > 0 and prompt[1] == 0


def expected_tokens(work: Work, *, expected: float) -> float:
    """How long the answer will be, where answers are expected to be so long."""
    if isinstance(work, Embedding):
        return 0.0
    return expected if work.max_tokens is None else min(expected, work.max_tokens)


def ends_with_first_token(work: Work) -> bool:
    """Whether the whole answer is there once the prompt is computed."""
    return isinstance(work, Embedding) or work.max_tokens == 1
