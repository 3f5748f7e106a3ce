"""Counting the tokens of a prompt, for who would know before asking. Nothing is generated, and nothing is charged."""

from typing import Final

from servery.core.caller import Caller
from servery.core.errors import EngineUnavailable, Overloaded
from servery.core.inference import EngineReport, Generation, InferenceRequest
from servery.core.today import Today
from servery.core.usage import Usage
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool
from servery.limits.aside_limits import AsideLimits
from servery.serving.fitting import fitted
from servery.serving.pipeline_parts import PipelineParts
from servery.serving.reply import Reply
from servery.serving.served import Served

_MOST_AT_ONCE: Final = 64
"""Counts that engines are busy with for this process. A count takes milliseconds, so more are too many."""

_TIMEOUT_S: Final = 10.0
_TRIES: Final = 2


class Counting:
    """Serves requests that are authenticated and parsed, as ``Pipeline`` does, but asks only how long their prompt is.

    An engine counts beside its work, so nobody waits in line for it, nor takes a place. The count is what the same
    request would be charged as its prompt. Where no engine of the model can count, it is what limits go by before a
    request is served: the prompt's bytes, by those that the model's tokens had before.
    """

    def __init__(self, parts: PipelineParts, limits: AsideLimits) -> None:
        self._parts = parts
        self._limits = limits
        self._today = Today()
        self._at_once = 0

    async def serve(self, caller: Caller, request: InferenceRequest, reply: Reply) -> None:
        """Answer with a usage of nothing but the prompt. Raises as ``Pipeline.serve`` does, except for money."""
        clock, catalog = self._parts.clock, self._parts.catalog
        started_s = clock.monotonic_s()
        offer = catalog.offer(
            request.model, request.endpoint, priority=request.priority, today=self._today.at(clock.wall_ns())
        )
        pool = self._parts.pools[offer.pool]
        (prompt,) = [work.prompt_bytes() for work in request.work]
        (work,) = fitted(request, offer, pool.honours, prompts=[prompt])
        assert isinstance(work, Generation), "vectors are not counted"
        self._limits.take(caller.account, funded=caller.funded)
        tokens = await self._counted(pool, work)
        if tokens is None:
            estimator = self._parts.estimators.of(offer.model_name)
            tokens = estimator.estimate(request, key_id=caller.key_id, prompt_bytes=len(prompt)).prompt_tokens
        took_s = clock.monotonic_s() - started_s
        report = EngineReport(replica="", queue_wait_s=0.0, time_to_first_token_s=took_s, processing_time_s=took_s)
        served = Served(
            request_id=request.request_id,
            model=offer.name,
            path=offer.path,
            usage=Usage(tokens, 0, 0, 0),
            report=report,
        )
        reply.finish(reply.last_bytes([], served), served)

    async def _counted(self, pool: ReplicaPool, work: Generation) -> int | None:
        """By an engine of the pool, or another if that fails; None where they cannot count. Raises Overloaded when
        there is none, or too much is counted already, and EngineUnavailable."""
        if self._at_once >= _MOST_AT_ONCE:
            raise Overloaded("too many prompts are being counted, please try again later", retry_after_s=1.0)
        self._at_once += 1
        try:
            return await _ask(_askable(pool), work)
        finally:
            self._at_once -= 1


def _askable(pool: ReplicaPool) -> list[Replica]:
    """Those that count, and of them the least busy, first."""
    ready = [replica for replica in pool.replicas if replica.is_ready and replica.circuit.is_closed]
    if not ready:
        raise Overloaded("service overloaded, please try again later", retry_after_s=1.0)
    return sorted(ready, key=lambda replica: (not replica.client.traits.counts_prompts, replica.in_flight))


async def _ask(replicas: list[Replica], work: Generation) -> int | None:
    refusal: EngineUnavailable | None = None
    for replica in replicas[:_TRIES]:
        try:
            return await replica.client.count_messages(work, timeout_s=_TIMEOUT_S)
        except EngineUnavailable as error:
            refusal = error
    assert refusal is not None, "there is at least one"
    raise refusal
