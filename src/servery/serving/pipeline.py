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

_TWICE: Final = (False, True)
_COMPLETED: Final = Outcome.COMPLETED  # looked up for each request; from its class a member comes a good deal slower

Task = asyncio.Task[Any]


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

    async def serve(self, caller: Caller, request: InferenceRequest, reply: Reply, task: Task | None = None) -> None:
        """Serve one request to its end, in ``task``, which is asked for where its caller does not know it. When this
        returns, the charge is durable and the reply is finished.

        Raises a ServeryError when the request was refused or broke off; what it then owes has been queued to be
        posted. Cancelling it means that the client is gone, or, once ``is_ending``, that the platform ends: the engine
        is told to stop, and what is owed is charged. Who is only being charged as the platform ends is served whole.
        """
        parts = self._parts
        offer = self._offer(request)
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
            charge = _settled(offer, journey, grant, usage)
            estimator.learn(usage, key_id=caller.key_id, prompt_bytes=journey.prompt_bytes, answers=len(work))
            record = self._record(caller, offer, journey, usage, _COMPLETED, elapsed_s=served.report.processing_time_s)
            for is_again in _TWICE:
                try:
                    await parts.meter.post_charge(record, charge)
                    break
                except asyncio.CancelledError:  # what is posted twice is posted once
                    if is_again or not self.is_ending:  # the client left at the very end
                        self._charge_part(caller, offer, journey, grant, _COMPLETED)
                        raise
                    uncancel()
            reply.finish(last, served)
        finally:
            self.open_streams.remove(journey)
            parts.holds.end(journey)
            grant.release()
        parts.observer.ended(record, charge)

    def _offer(self, request: InferenceRequest) -> Offer:
        """What is offered now for what is asked, at the price that is in force."""
        now_ns = self._wall_ns()
        offered = self._parts.catalog.offer(
            request.model, request.endpoint, priority=request.priority, today=self._today.at(now_ns)
        )
        return self._parts.prices.priced(offered, wall_ns=now_ns)

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
        charge = _settled(offer, journey, grant, usage)
        record = self._record(caller, offer, journey, usage, outcome, elapsed_s=journey.elapsed_s)
        self._parts.meter.post_soon(record, offer.price)
        self._parts.observer.ended(record, charge)

    def _record(
        self, caller: Caller, offer: Offer, journey: Journey, usage: Usage, outcome: Outcome, *, elapsed_s: float
    ) -> UsageRecord:
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
            started_ns=finished_ns - nearest(elapsed_s * 1_000_000_000),  # the wall may have been set meanwhile
            finished_ns=finished_ns,
            replica=journey.replica,
            queue_wait_us=nearest(journey.queue_wait_s * 1_000_000),
            time_to_first_token_us=None if first_token_s is None else nearest(first_token_s * 1_000_000),
            cost_labels=journey.request.cost_labels,
            predicted_cached_prompt_tokens=journey.predicted_cached_prompt_tokens,
            hedge=journey.hedge,
        )


def _settled(offer: Offer, journey: Journey, grant: Grant, usage: Usage) -> Charge:
    """What the request used takes the place of what was reserved for it."""
    charge = rate(usage, offer.price)
    grant.settle(usage)
    journey.hold.settle(charge.nanodollars)
    return charge
