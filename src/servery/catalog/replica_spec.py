"""One replica of a pool, as the catalog describes it."""

import msgspec

from servery.catalog.engine import Engine


class ReplicaSpec(msgspec.Struct, frozen=True, kw_only=True):
    """``url`` is None for an engine that the platform starts by itself. ``concurrency`` is requests in flight there;
    ``kv_tokens`` what fits its KV cache, None where that is not known."""

    engine: Engine
    url: str | None
    concurrency: int
    kv_tokens: int | None
