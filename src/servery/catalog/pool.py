"""A pool: the replicas that serve one offer, the engines they run, and how much may be asked of them at once."""

from typing import Annotated

import msgspec
from msgspec import Meta

from servery.catalog.engine import Count, EmbeddedEngine, Engine, KvTokens, UrlEngine
from servery.catalog.replica_spec import ReplicaSpec


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``concurrency`` is requests in flight per replica; ``queue`` is requests that wait for the whole pool, beyond
    which the answer is 503. ``kv_tokens`` is how many tokens of prompts and answers fit each replica's KV cache at
    once; None: not known, only requests are counted. ``replicas`` is None exactly for an engine that is given by URLs,
    which count themselves. ``also`` are further engines that serve the same, of whatever family. A request that has no
    first byte ``hedge_after_s`` after it was sent to a replica is sent to another as well; None: never.
    """

    name: str
    engine: Engine
    concurrency: Count
    also: tuple[UrlEngine, ...] = ()
    queue: Annotated[int, Meta(ge=0, le=1_000_000)] = 128
    kv_tokens: KvTokens | None = None
    replicas: Annotated[int, Meta(ge=1, le=4096)] | None = None
    hedge_after_s: Annotated[float, Meta(gt=0, le=600)] | None = None

    @property
    def engines(self) -> tuple[Engine, ...]:
        return (self.engine, *self.also)

    def replica_specs(self) -> list[ReplicaSpec]:
        """One for each replica, in the order of their numbers."""
        return [spec for engine in self.engines for spec in self._specs(engine)]

    @property
    def replica_count(self) -> int:
        return len(self.replica_specs())

    def _specs(self, engine: Engine) -> list[ReplicaSpec]:
        match engine:
            case EmbeddedEngine():
                one = ReplicaSpec(engine=engine, url=None, concurrency=self.concurrency, kv_tokens=self.kv_tokens)
                return [one] * (self.replicas or 1)
            case UrlEngine():
                return [
                    ReplicaSpec(
                        engine=engine,
                        url=url,
                        concurrency=engine.concurrency or self.concurrency,
                        kv_tokens=engine.kv_tokens or self.kv_tokens,
                    )
                    for url in engine.urls
                ]
