"""How fast a described engine is."""

from typing import Annotated

import msgspec
from msgspec import Meta

_Rate = Annotated[float, Meta(gt=0, le=1e9)]


class EngineRates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine, as measured on the hardware that it stands for.

    ``prefill_tokens_per_s`` are prompt tokens computed when nothing else is; cached ones cost nothing. A stream alone
    gets ``decode_tokens_per_s``; each of ``sequences`` streams, the most that run at once, ``decode_tokens_per_s_full``
    (not given: the same). Between the two the time of a step grows evenly with the streams.

    ``prefill_chunk_tokens`` is how much of a prompt is computed in one step together with the streams (chunked
    prefill): both slow each other down. Not given, they do not, as where prefill has machines of its own. With
    ``whole_prompts`` all that wait are computed in one step, however long, with a token of each stream; what comes
    meanwhile waits for its end (llama.cpp).

    ``cache_tokens`` of prompts are kept. ``kv_tokens`` bounds prompts and answers of what runs, each counted whole,
    also where two share a prefix; not given, memory is never short. ``honours_priorities``: it takes Priority first.
    """

    prefill_tokens_per_s: _Rate
    decode_tokens_per_s: _Rate
    decode_tokens_per_s_full: _Rate | None = None
    sequences: Annotated[int, Meta(ge=1, le=1_000_000)] = 256
    prefill_chunk_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    whole_prompts: bool = False
    cache_tokens: Annotated[int, Meta(ge=0, le=10**12)]
    kv_tokens: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    honours_priorities: bool = False

    def __post_init__(self) -> None:
        full = self.decode_tokens_per_s_full
        if full is not None and full > self.decode_tokens_per_s:
            raise ValueError("decode_tokens_per_s_full is higher than decode_tokens_per_s")

    def step_s(self, streams: int) -> float:
        """The time of a decode step with as many streams."""
        alone_s = 1.0 / self.decode_tokens_per_s
        full = self.decode_tokens_per_s_full
        if full is None or self.sequences == 1:
            return alone_s
        return alone_s + (streams - 1) * (1.0 / full - alone_s) / (self.sequences - 1)
