"""From admission to the engine: a place, a seat, an exchange, for each branch of a request."""

import asyncio
from collections.abc import Mapping

import msgspec

from servery.admission.gate import Gate
from servery.catalog.offer import Offer
from servery.core.caller import Caller
from servery.core.errors import ContextExceeded, InvalidRequest, Overloaded, ServeryError
from servery.core.inference import Embedding, Generation
from servery.core.serving_path import ServingClass, ServingPath
from servery.engines.body import CachePlace
from servery.engines.client import EngineClient
from servery.engines.tally import Tally
from servery.fleet.replica_pool import ReplicaPool
from servery.limits.estimate import Estimators
from servery.metering.meter import Meter
from servery.routing.router import Router
from servery.routing.seat import Seat
from servery.routing.wish import Wish
from servery.serving.journey import Branch, Journey
from servery.serving.retry import ATTEMPTS, RetryBudget, may_retry

_MAX_PARALLEL_BRANCHES = 4
_ASIDE_TIMEOUT_S = 10.0


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
    ) -> None:
        self._pools = pools
        self._gates = gates
        self._router = router
        self._estimators = estimators
        self._meter = meter
        self._retries = RetryBudget()

    async def answers(self, caller: Caller, offer: Offer, journey: Journey) -> list[bytes]:
        """One engine answer for each branch: its JSON body, or ``b""`` for a stream that has been relayed. Most
        requests have one branch; more run side by side, a few at a time, and the first failure ends them all."""
        if len(journey.branches) == 1:
            return [await self._branch(caller, offer, journey, journey.branches[0])]
        turns = asyncio.Semaphore(_MAX_PARALLEL_BRANCHES)

        async def in_turn(branch: Branch) -> bytes:
            async with turns:
                return await self._branch(caller, offer, journey, branch)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(in_turn(branch)) for branch in journey.branches]
        except* ServeryError as errors:
            raise _first(errors) from errors
        return [task.result() for task in tasks]

    async def _branch(self, caller: Caller, offer: Offer, journey: Journey, branch: Branch) -> bytes:
        """Wait for a place, take a seat, ask the engine; once more elsewhere if it fails before the first byte."""
        pool = self._pools[offer.pool]
        wish = self._wish(caller, offer, journey, branch)
        branch.prompt_tokens_guess = min(round(wish.prompt_tokens), offer.model.context_length)
        tried: frozenset[str] = frozenset()
        self._retries.earn()
        for attempt in range(ATTEMPTS):
            try:
                async with self._gates[offer.pool].place(_serving_class(offer)) as place:
                    seat = self._router.seat(pool, wish, avoid=tried)
                    if seat is None:
                        raise Overloaded("service overloaded, please try again later", retry_after_s=1.0)
                    tried |= {seat.replica.name}
                    try:
                        journey.seated(replica=seat.replica.name, queue_wait_s=place.queue_wait_s)
                        self._open(caller, offer, journey)
                        return await self._exchange(offer, journey, branch, seat)
                    finally:
                        seat.leave()
            except ServeryError as error:
                in_engine = len(tried) > 0 and not branch.delivered
                if not (in_engine and may_retry(error, attempt=attempt) and self._retries.spend()):
                    raise
                branch.tally = None  # what an engine did before it failed is nobody's to pay
        raise AssertionError("the last attempt returns or raises")

    async def _exchange(self, offer: Offer, journey: Journey, branch: Branch, seat: Seat) -> bytes:
        """Make the seat ready and ask the engine; once more, for a shorter answer, where the one asked for is refused
        because it would not fit."""
        client = seat.replica.client
        slot = None if isinstance(branch.work, Embedding) else seat.placement.slot
        if seat.placement.erase and slot is not None:
            await client.call("POST", f"/slots/{slot}?action=erase", b"{}", timeout_s=_ASIDE_TIMEOUT_S)
            seat.erased()
        if not journey.request.truncate_to_context and client.traits.counts_prompts:
            await self._check_fit(offer, journey, branch, client)
        try:
            return await self._ask(offer, journey, branch, seat)
        except ContextExceeded as refusal:
            branch.work = await self._shortened(journey, branch, client, refusal)
            return await self._ask(offer, journey, branch, seat)

    async def _ask(self, offer: Offer, journey: Journey, branch: Branch, seat: Seat) -> bytes:
        """One exchange: relay what the engine says, and stop it when nobody listens any more."""
        slot = None if isinstance(branch.work, Embedding) else seat.placement.slot
        tally = branch.tally = Tally(prompt_tokens_guess=branch.prompt_tokens_guess)
        asked_s = journey.elapsed_s

        def begin() -> None:
            seat.first_byte()
            journey.begin(branch)

        with seat.replica.circuit.trial() as trial:
            exchange = await seat.replica.client.ask(
                branch.work,
                endpoint=journey.request.endpoint,
                stream=journey.request.stream,
                place=CachePlace(slot=slot, salt=seat.owner),
                sink=journey.sink(branch),
                on_first=begin,
                tally=tally,
                serving_class=_serving_class(offer),
                on_answer=trial.answered,
            )
            journey.attach(exchange)
            try:
                answer = await exchange.answer
            finally:
                journey.detach(exchange)
                exchange.abort()
        journey.first_token(prefill_s=tally.prefill_s, asked_s=asked_s)
        if tally.is_reported:
            usage = tally.usage()
            seat.reported(
                cached_tokens=usage.cached_prompt_tokens,
                prompt_tokens=usage.prompt_tokens,
                generated_tokens=usage.generated_tokens,
            )
        return answer

    async def _check_fit(self, offer: Offer, journey: Journey, branch: Branch, client: EngineClient) -> None:
        """For those who want an error instead of a shorter answer. Other engines refuse by themselves."""
        if isinstance(branch.work, Embedding):
            return
        endpoint, longest = journey.request.endpoint, offer.model.context_length
        prompt = await client.count_prompt(branch.work, endpoint=endpoint, timeout_s=_ASIDE_TIMEOUT_S)
        if prompt + (branch.work.max_tokens or 0) > longest:
            raise InvalidRequest(
                f"The prompt has {prompt} tokens and max_tokens is {branch.work.max_tokens}:"
                f" more than the model's maximum context length of {longest}",
                param="max_tokens",
            )

    async def _shortened(
        self, journey: Journey, branch: Branch, client: EngineClient, refusal: ContextExceeded
    ) -> Generation:
        """The work with as many tokens of answer as its prompt leaves room for. Raises ``refusal`` when the client
        wants that error, or nothing can be gained."""
        work, prompt = branch.work, refusal.prompt_tokens
        if isinstance(work, Embedding) or not journey.request.truncate_to_context:
            raise refusal
        if prompt is None and client.traits.counts_prompts:
            prompt = await client.count_prompt(work, endpoint=journey.request.endpoint, timeout_s=_ASIDE_TIMEOUT_S)
        room = 0 if prompt is None else refusal.context_tokens - prompt - client.traits.context_reserve_tokens
        if not 0 < room < (work.max_tokens or 0):
            raise refusal
        return msgspec.structs.replace(work, max_tokens=room)

    def _wish(self, caller: Caller, offer: Offer, journey: Journey, branch: Branch) -> Wish:
        request = journey.request
        owner = self._router.owner(self._pools[offer.pool], caller.account, request.isolation_key)
        return Wish(
            owner=owner,
            chain=self._router.chain(owner, branch.prompt),
            units_per_token=self._estimators.of(offer.model.name).bytes_per_token,
            session=f"{caller.account}/{request.session}" if request.session else None,
            tells_first_token=request.stream,
        )

    def _open(self, caller: Caller, offer: Offer, journey: Journey) -> None:
        """Journal the request once, when the first of its branches goes to an engine."""
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


def _serving_class(offer: Offer) -> ServingClass:
    return ServingClass.PRIORITY if offer.path is ServingPath.PRIORITY else ServingClass.STANDARD


def _first(group: BaseExceptionGroup[ServeryError]) -> ServeryError:
    """The first refusal among those of several branches."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ServeryError), "only refusals are gathered here"
    return error
