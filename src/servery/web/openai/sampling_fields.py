"""The request fields that say how tokens are drawn, with the ranges that the API documents."""

from typing import Annotated

import msgspec
from msgspec import Meta

from servery.core.sampling_ranges import (
    Bias,
    Mirostat,
    Penalty,
    Probability,
    RepetitionPenalty,
    Seed,
    StopTokens,
    Temperature,
    TokenCount,
)


class SamplingFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Part of a request's body; a field that is null is as good as absent. ``top_k`` 0 and -1 both mean: of all tokens.
    The last two fields are those of vLLM and SGLang."""

    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Meta(ge=-1, le=100)] | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: RepetitionPenalty | None = None
    mirostat_target: Mirostat | None = None
    mirostat_lr: Mirostat | None = None
    logit_bias: dict[str, Bias] | None = None
    seed: Seed | None = None
    ignore_eos: bool | None = None
    min_tokens: TokenCount | None = None
    stop_token_ids: StopTokens | None = None
