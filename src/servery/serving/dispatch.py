"""From admission to the engine: a place, a seat, an exchange, for each branch of a request."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from servery.admission.gate import Gate, Place
from servery.catalog.offer import Offer
from servery.core.caller import Caller
from servery.core.errors import (
    ContextExceeded,
    InvalidRequest,
    Overloaded,
    ServeryError,
)
from servery.core.inference import Embedding, Generation
from servery.engines.cache_place import CachePlace
from servery.engines.client import EngineClient
from servery.engines.exchange import Exchange
from servery.engines.tally import Tally
from servery.engines.whole_answer import WholeAnswer
from servery.fleet.replica_pool import ReplicaPool
from servery.limits.estimate import Estimators
from servery.metering.meter import Meter
from servery.routing.placements import Placements
from servery.routing.router import Router
from servery.routing.wish import Wish
from servery.serving.errand import Errand, Visit, ends_with_first_token, expected_tokens
from servery.serving.hedging import Hedging
from servery.serving.journey import Branch, Journey
from servery.serving.retry import RetryBudget, may_retry
from servery.serving.side_by_side import side_by_side

_ASIDE_TIMEOUT_S: Final = 10.0
_BELIEVED_CONTEXTS: Final = 16
"""An engine may hold more than the catalog says, but no report of more tokens than these times that is true."""


class Dispatch:
    """``gates`` and ``pools`` are by the pool's name."""

    def __init__(
        self,
        *,
        pools: Mapping[str, ReplicaPool],
        gates: Mapping[str, Gate],
        router: Router,
        estimators: Estimators,
        meter: Meter,
        placements: Placements,
    ) -> None:
        self._placements = placements
        self._pools = dict(pools)
        self._gates = dict(gates)
        self._router = router
        self._estimators = estimators
        self._meter = meter
        self._retries = RetryBudget()
        self.hedging = Hedging(pools, gates, self._retries)
        self._hedge_after_s = self.hedging.waits_s

    def forecast(self, caller: Caller, offer: Offer, journey: Journey) -> int:
        """How many of the request's prompt tokens, each prompt counted once, some replica is believed to have in its
        prompt cache."""
        pool, total, cached_tokens = self._pools[offer.pool], 0.0, 0.0
        for branch in journey.branches:
            if branch.number % journey.request.choices_per_prompt == 0:
                cached_tokens = self._router.forecast(pool, self._wish(pool, caller, offer, journey, branch))
                total += cached_tokens
            branch.cached_tokens = cached_tokens
        return int(total)

    def answers(
        self, caller: Caller, offer: Offer, journey: Journey, task: asyncio.Task[Any] | None
    ) -> Coroutine[Any, Any, list[WholeAnswer]]:
        """To be awaited: one engine answer for each branch, empty of a stream that has been relayed. Most requests
        have one branch, served in ``task``, or where that is None in the running one; more run side by side, a few at a
        time, and the first failure ends them all."""
        if len(journey.branches) == 1:
            return self._branch(self._errand(caller, offer, journey, journey.branches[0], task or _running_task()))

        async def serve(branch: Branch) -> WholeAnswer:
            (answer,) = await self._branch(self._errand(caller, offer, journey, branch, _running_task()))
            return answer

        return side_by_side(journey.branches, serve)

    async def _branch(self, errand: Errand) -> list[WholeAnswer]:
        """Wait for a place, take a seat, and ask the engine, for one answer; ask another one as well where the first
        is slow and that is wanted. Before the first byte, once more if that fails, from a place elsewhere in the pool;
        and again from the old place in the queue if the request is called back."""
        self._retries.earn()
        pool = errand.offer.pool
        place = self._gates[pool].enter(errand.demand, on_recall=errand.recall.call)
        try:
            if not place.is_admitted:
                await place.inside()
            while True:
                try:
                    visit = self._seated(errand, place, place.avoided_names)
                    try:
                        self._open(errand, visit, place)
                        wait_s = None if errand.retries else self._hedge_after_s[pool]
                        if wait_s is None:
                            return [await self._ask(errand, visit)]
                        answer = await self.hedging.run(
                            errand, place, visit, wait_s=wait_s, seating=self._seated, asking=self._ask
                        )
                        return [answer]
                    finally:
                        visit.end()
                except asyncio.CancelledError:
                    if not errand.recall.is_meant():
                        raise
                except ServeryError as error:
                    if errand.branch.delivered or not may_retry(error, attempt=errand.retries):
                        raise
                    if not self._turns_elsewhere(errand, place) or not self._retries.spend():
                        raise
                    errand.retries += 1
                    errand.branch.in_openai_form()
                errand.branch.tally = None  # what an engine did before it failed or was stopped is nobody's to pay
                await place.again()
        finally:
            place.leave(work=errand.work if place.is_counted else None)

    def _turns_elsewhere(self, errand: Errand, place: Place) -> bool:
        """Have the place avoid the replica that has failed the errand; false where there is no other that serves, nor
        another form in which to ask this one."""
        failed, pool = place.replica, self._pools[errand.offer.pool]
        if failed is None:
            return True  # there was no room
        if not any(one.capacity > 0 and one is not failed and not place.avoids(one) for one in pool.replicas):
            return errand.branch.is_in_own_form
        place.avoid(failed)
        return True

    def _seated(self, errand: Errand, place: Place, avoid: frozenset[str]) -> Visit:
        seat = self._router.seat(self._pools[errand.offer.pool], errand.wish, avoid=avoid)
        if seat is None:
            raise Overloaded("service overloaded, please try again later", retry_after_s=1.0)
        self._placements.add(errand.journey.request.request_id, errand.branch.number, seat)
        return Visit(errand, place, seat)

    async def _ask(self, errand: Errand, visit: Visit) -> WholeAnswer:
        """Ask the engine, relay what it says, and stop it when nobody listens any more. Ask once more, for a shorter
        answer, where the one asked for is refused because it would not fit; and without an opening, where it is refused
        with one."""
        seat, is_shortened = visit.seat, False
        try:
            if seat.replica.client.traits.counts_prompts and not errand.journey.request.truncate_to_context:
                await self._check_fit(errand, seat.replica.client)
            client, work = seat.replica.client, errand.branch.work
            opening = await client.opening_for(work) if client.wants_opening(work) else ""
            while True:
                refusal: ContextExceeded | None = None
                exchange = self._begin(errand, visit, opening)
                try:
                    answer = await exchange.answer
                    visit.claim()
                except ContextExceeded as error:
                    if is_shortened:
                        raise
                    refusal, is_shortened = error, True
                except InvalidRequest:
                    if not opening:
                        raise
                    opening = ""
                else:
                    visit.completed()
                    return answer
                finally:
                    visit.ran(exchange)
                if refusal is not None:
                    errand.branch.work = await self._shortened(errand, seat.replica.client, refusal)
        except ServeryError as error:
            visit.failed(error)
            seat.refused()
            raise

    def _begin(self, errand: Errand, visit: Visit, opening: str) -> Exchange:
        """Ask the engine."""
        seat, journey, branch = visit.seat, errand.journey, errand.branch
        slot = None if isinstance(branch.work, Embedding) else seat.placement.slot
        is_emptied = slot is not None and seat.placement.erase
        longest = errand.offer.context_length * (len(branch.work.inputs) if isinstance(branch.work, Embedding) else 1)
        tally = Tally(
            prompt_tokens_guess=branch.prompt_tokens_guess,
            most_tokens=_BELIEVED_CONTEXTS * longest,
            asked_tokens=None if isinstance(branch.work, Embedding) else branch.work.max_tokens,
        )
        visit.asks(tally, empties_slot=is_emptied)
        exchange = seat.replica.client.ask(
            branch.work,
            endpoint=journey.request.endpoint,
            stream=journey.request.stream,
            place=CachePlace(slot=slot, salt=seat.owner, is_emptied=is_emptied),
            sink=journey.sink(branch),
            tally=tally,
            serving_class=errand.serving_class,
            opening=opening,
            asker=visit,
        )
        visit.runs(exchange)
        return exchange

    async def _check_fit(self, errand: Errand, client: EngineClient) -> None:
        """For those who want an error instead of a shorter answer. Other engines refuse by themselves."""
        work = errand.branch.work
        if isinstance(work, Embedding):
            return
        endpoint, longest = errand.journey.request.endpoint, errand.offer.context_length
        prompt = await client.count_prompt(work, endpoint=endpoint, timeout_s=_ASIDE_TIMEOUT_S)
        if prompt + (work.max_tokens or 0) > longest:
            raise ContextExceeded(
                f"The prompt has {prompt} tokens and max_tokens is {work.max_tokens}:"
                f" more than the model's maximum context length of {longest}",
                context_tokens=longest,
                prompt_tokens=prompt,
            )

    async def _shortened(self, errand: Errand, client: EngineClient, refusal: ContextExceeded) -> Generation:
        """The work with as many tokens of answer as its prompt leaves room for. Raises ``refusal`` when the client
        wants that error, or nothing can be gained."""
        work, request, prompt = errand.branch.work, errand.journey.request, refusal.prompt_tokens
        if isinstance(work, Embedding) or not request.truncate_to_context:
            raise refusal
        if prompt is None and client.traits.counts_prompts:
            prompt = await client.count_prompt(work, endpoint=request.endpoint, timeout_s=_ASIDE_TIMEOUT_S)
        room = 0 if prompt is None else refusal.context_tokens - prompt - client.traits.context_reserve_tokens
        if not 0 < room < (work.max_tokens or 0):
            raise refusal
        return work.fitted(max_tokens=room, sampling=work.sampling)

    def _errand(
        self, caller: Caller, offer: Offer, journey: Journey, branch: Branch, task: asyncio.Task[Any]
    ) -> Errand:
        wish, cached_tokens = branch.wish, branch.cached_tokens
        if wish is None:
            wish = self._wish(self._pools[offer.pool], caller, offer, journey, branch)
        return Errand(caller, offer, journey, branch=branch, wish=wish, cached_tokens=cached_tokens, task=task)

    def _wish(self, pool: ReplicaPool, caller: Caller, offer: Offer, journey: Journey, branch: Branch) -> Wish:
        """What the branch asks of routing; made once."""
        request, estimator = journey.request, self._estimators.of(offer.model_name)
        owner = self._router.owner(pool, caller.account, request.isolation_key)
        branch.wish = wish = Wish(
            owner=owner,
            chain=self._router.chain(owner, branch.prompt, branch.last_message),
            units_per_token=estimator.bytes_per_token,
            generated_tokens=expected_tokens(branch.work, expected=estimator.generated_tokens_of(caller.key_id)),
            session=f"{caller.account}/{request.session}" if request.session else None,
            tells_first_token=request.stream or ends_with_first_token(branch.work),
        )
        return wish

    def _open(self, errand: Errand, visit: Visit, place: Place) -> None:
        """The errand has a seat. Journal its request once, when the first of its branches goes to an engine."""
        journey, caller, offer = errand.journey, errand.caller, errand.offer
        journey.seated(visit.seat, queue_wait_s=place.queue_wait_s)
        if journey.dispatched:
            return
        self._meter.opened(
            journey.request.request_id,
            account=caller.account,
            key_id=caller.key_id,
            model=offer.name,
            path=offer.path,
            replica=journey.replica,
        )
        journey.dispatched = True


def _running_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "requests are served in tasks"
    return task
