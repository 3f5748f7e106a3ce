"""THE request path. Read ``Pipeline.serve`` from top to bottom: it is a request's whole journey."""

import asyncio
from typing import Any, Final

from servery.billing.charge import Charge
from servery.billing.rating import rate
from servery.catalog.offer import Offer
from servery.core.caller import Caller
from servery.core.cancellation import uncancel
from servery.core.errors import ServeryError
from servery.core.inference import InferenceRequest
from servery.core.nearest import nearest
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.today import Today
from servery.core.usage import Usage
from servery.limits.estimate import Estimator
from servery.limits.estimated import Estimate
from servery.limits.grant import Grant
from servery.limits.lender import Lender
from servery.metering.usage_record import UsageRecord
from servery.serving.fitting import fitted
from servery.serving.journey import Journey
from servery.serving.open_streams import OpenStreams
from servery.serving.pipeline_parts import PipelineParts
from servery.serving.reply import Reply

_OURS: Final = (Outcome.ENGINE_BROKE, Outcome.PLATFORM_ENDED)
"""How requests end that we have broken off."""

_COMPLETED: Final = Outcome.COMPLETED  # looked up for each request; from its class a member comes a good deal slower


class Pipeline:
    """Serves requests that are authenticated and parsed."""

    def __init__(self, parts: PipelineParts) -> None:
        self._parts = parts
        self._now_s = parts.clock.monotonic_s
        self._wall_ns = parts.clock.wall_ns
        self._today = Today()
        self.holds = parts.holds
        self.open_streams = OpenStreams()
        self.is_ending = False

    async def serve(
        self, caller: Caller, request: InferenceRequest, reply: Reply, task: asyncio.Task[Any] | None = None
    ) -> None:
        """Serve one request to its end. When this returns, the charge is durable and the reply is finished. ``task`` is
        the one in which this runs, where its caller knows it: asking for it costs more than what it is for.

        Raises a ServeryError when the request was refused or broke off; what it then owes has been queued to be
        posted. Cancelling it means that the client is gone, or, once ``is_ending``, that the platform ends: the engine
        is told to stop, and what is owed is charged. Who is only being charged as the platform ends is served whole.
        """
        parts = self._parts
        now_ns = self._wall_ns()
        offered = parts.catalog.offer(
            request.model, request.endpoint, priority=request.priority, today=self._today.at(now_ns)
        )
        offer = parts.prices.priced(offered, wall_ns=now_ns)
        prompts = [work.prompt_bytes() for work in request.work]
        work = fitted(request, offer, parts.pools[offer.pool].honours, prompts=prompts)
        journey = Journey(request, work, prompts, reply, self._now_s)
        estimator = parts.estimators.of(offer.model_name)
        if not parts.holds.knows(caller.account):
            await parts.holds.learn(caller.account)
        estimate = self._estimate(caller, offer, journey, estimator)
        grant = (
            self._reserve(caller, offer, estimate)
            if parts.lender is None
            else await self._borrow(parts.lender, caller, offer, estimate)
        )
        self.open_streams.add(journey, grant)
        try:
            reply.granted(grant.reading(), offer.path)
            if parts.holds.are_shared:
                await parts.holds.borrow(caller, offer, journey, estimate)
            else:
                parts.holds.take(caller, offer, journey, estimate)
            try:
                answers = await parts.dispatch.answers(caller, offer, journey, task)
                usage = journey.usage()
                served = journey.served(offer, usage)
                last = reply.last_bytes(answers, served)
            except asyncio.CancelledError:
                outcome = Outcome.PLATFORM_ENDED if self.is_ending else Outcome.CLIENT_GONE
                self._charge_part(caller, offer, journey, grant, outcome)
                raise
            except ServeryError:
                self._charge_part(caller, offer, journey, grant, Outcome.ENGINE_BROKE)
                raise
            grant.settle(usage)
            journey.hold.settle(rate(usage, offer.price).nanodollars)
            estimator.learn(usage, key_id=caller.key_id, prompt_bytes=journey.prompt_bytes, answers=len(work))
            record = self._record(caller, offer, journey, usage, _COMPLETED)
            try:
                charge = await self._posted(record, offer.price)
            except asyncio.CancelledError:  # the client left at the very end; what is posted twice is posted once
                self._charge_part(caller, offer, journey, grant, Outcome.COMPLETED)
                raise
            reply.finish(last, served)
        finally:
            self.open_streams.remove(journey)
            parts.holds.end(journey)
            grant.release()
        parts.observer.ended(record, charge)

    def _estimate(self, caller: Caller, offer: Offer, journey: Journey, estimator: Estimator) -> Estimate:
        return estimator.estimate(
            journey.request,
            key_id=caller.key_id,
            prompt_bytes=journey.prompt_bytes,
            cached_prompt_tokens=self._parts.dispatch.forecast(caller, offer, journey),
        )

    def _reserve(self, caller: Caller, offer: Offer, estimate: Estimate) -> Grant:
        """Take the estimate of the account's limits. Raises LimitExceeded."""
        return self._parts.limiter.reserve(
            account=caller.account,
            counted_as=offer.name,
            limits=self._parts.ceilings.of(offer.model, spend_tier=caller.spend_tier),
            estimate=estimate,
            funded=caller.funded,
        )

    async def _borrow(self, lender: Lender, caller: Caller, offer: Offer, estimate: Estimate) -> Grant:
        """As ``_reserve``, of limits that several gateways share."""
        return await lender.reserve(
            account=caller.account,
            counted_as=offer.name,
            limits=self._parts.ceilings.of(offer.model, spend_tier=caller.spend_tier),
            estimate=estimate,
            funded=caller.funded,
        )

    async def _posted(self, record: UsageRecord, price: Price) -> Charge:
        """The answer is whole, and its end is a commit away: the platform's end waits for it."""
        try:
            return await self._parts.meter.post(record, price)
        except asyncio.CancelledError:
            if not self.is_ending:
                raise
            uncancel()
        return await self._parts.meter.post(record, price)  # what is posted twice is posted once

    def _charge_part(self, caller: Caller, offer: Offer, journey: Journey, grant: Grant, outcome: Outcome) -> None:
        """Settle a request that did not complete (money.md, rule 5). Nobody waits for this posting.

        A client that left owes what an engine did for it, all of it when it left while its charge was being posted; of
        an engine that broke, and of a platform that ends, what was delivered is owed.
        """
        if not journey.dispatched:
            return
        if outcome in _OURS and not journey.stream_began:
            self._parts.meter.void(journey.request.request_id)
            return
        usage = journey.usage()
        charge = rate(usage, offer.price)
        grant.settle(usage)
        journey.hold.settle(charge.nanodollars)
        record = self._record(caller, offer, journey, usage, outcome)
        self._parts.meter.post_soon(record, offer.price)
        self._parts.observer.ended(record, charge)

    def _record(self, caller: Caller, offer: Offer, journey: Journey, usage: Usage, outcome: Outcome) -> UsageRecord:
        first_token_s = journey.time_to_first_token_s
        finished_ns = self._wall_ns()
        return UsageRecord(
            request_id=journey.request.request_id,
            account=caller.account,
            key_id=caller.key_id,
            model=offer.name,
            serving_path=offer.path,
            asked_path=ServingPath.PRIORITY if journey.request.priority else offer.path,
            price_id=offer.price_id,
            usage=usage,
            outcome=outcome,
            started_ns=finished_ns - nearest(journey.elapsed_s * 1_000_000_000),  # the wall may have been set meanwhile
            finished_ns=finished_ns,
            replica=journey.replica,
            queue_wait_us=nearest(journey.queue_wait_s * 1_000_000),
            time_to_first_token_us=None if first_token_s is None else nearest(first_token_s * 1_000_000),
            cost_labels=journey.request.cost_labels,
            predicted_cached_prompt_tokens=journey.predicted_cached_prompt_tokens,
            hedge=journey.hedge,
        )
