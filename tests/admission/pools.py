"""Pools without engines, and demands for them."""

from servery.admission.demand import Demand
from servery.admission.ticket import Ticket
from servery.catalog.pool import Pool, UrlEngine
from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.core.serving_path import ServingClass
from servery.core.work_weights import WorkWeights
from servery.fleet.replica_pool import ReplicaPool

PRIORITY, STANDARD, BATCH = ServingClass
EVEN = WorkWeights(cached=1.0, generated=1.0)


def pool_of(
    *, replicas: int = 1, concurrency: int = 1, queue: int = 128, kv_tokens: int | None = None, ready: bool = True
) -> ReplicaPool:
    """So many replicas, all of them up."""
    urls = tuple(f"http://127.0.0.1:{number + 1}" for number in range(replicas))
    engine = UrlEngine(family=EngineFamily.VLLM, urls=urls, served_model="m")
    spec = Pool(name="p", engine=engine, concurrency=concurrency, queue=queue, kv_tokens=kv_tokens)
    pool = ReplicaPool(spec, ManualClock(), call_later=lambda wait_s, function: None)
    for replica in pool.replicas if ready else ():
        replica.ready(is_fresh=True)
    return pool


def demand(
    account: str = "a", serving_class: ServingClass = STANDARD, *, tokens: float = 10, session: str | None = None
) -> Demand:
    """All of it prompt, none of it cached."""
    return Demand(
        account=account,
        serving_class=serving_class,
        prompt_tokens=tokens,
        uncached_prompt_tokens=tokens,
        generated_tokens=0,
        weights=EVEN,
        session=session,
    )


def ticket(
    account: str = "a", serving_class: ServingClass = STANDARD, *, tokens: float = 10, session: str | None = None
) -> Ticket:
    made = Ticket(demand(account, serving_class, tokens=tokens, session=session), may_be_recalled=True)
    made.work = made.demand.work
    return made
