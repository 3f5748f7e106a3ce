"""The request fields that say how tokens are drawn, with the ranges that the API documents."""

from typing import Annotated

from msgspec import Meta

from servery.core.sampling_ranges import SamplingRanges


class SamplingFields(SamplingRanges, frozen=True, kw_only=True):
    """Part of a request's body; a field that is null is as good as absent. ``top_k`` 0 and -1 both mean: of all tokens.
    ``min_tokens`` and ``stop_token_ids`` are fields of vLLM and SGLang."""

    top_k: Annotated[int, Meta(ge=-1, le=100)] | None = None
