"""The request fields that say how tokens are drawn, with the ranges that the API documents."""

from typing import Annotated

import msgspec
from msgspec import Meta

_STOP_TOKENS_MAX = 64

_Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Probability = Annotated[float, Meta(ge=0, le=1)]


class SamplingFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Part of a request's body; a field that is null is as good as absent. ``top_k`` 0 and -1 both mean: of all tokens.
    The last two fields are those of vLLM and SGLang."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: _Probability | None = None
    top_k: Annotated[int, Meta(ge=-1, le=100)] | None = None
    min_p: _Probability | None = None
    typical_p: _Probability | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None
    repetition_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    mirostat_target: Annotated[float, Meta(ge=0)] | None = None
    mirostat_lr: Annotated[float, Meta(ge=0)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    seed: _Seed | None = None
    ignore_eos: bool | None = None
    min_tokens: Annotated[int, Meta(ge=0, lt=2**31)] | None = None
    stop_token_ids: Annotated[list[Annotated[int, Meta(ge=0, lt=2**31)]], Meta(max_length=_STOP_TOKENS_MAX)] | None = (
        None
    )
