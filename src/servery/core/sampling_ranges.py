"""The ranges of the ways to say how tokens are drawn, which are those of the API."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

_MOST_STOP_TOKENS: Final = 64

_Probability = Annotated[float, Meta(ge=0, le=1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_TokenCount = Annotated[int, Meta(ge=0, lt=2**31)]
_TokenId = Annotated[int, Meta(ge=0, lt=2**31)]


class SamplingRanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said in a request, or in the catalog: the fields of ``core.sampling.Sampling``. None: not said."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: _Probability | None = None
    top_k: _TokenCount | None = None
    min_p: _Probability | None = None
    typical_p: _Probability | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None
    repetition_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    mirostat_target: Annotated[float, Meta(ge=0)] | None = None
    mirostat_lr: Annotated[float, Meta(ge=0)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    ignore_eos: bool | None = None
    min_tokens: _TokenCount | None = None
    stop_token_ids: Annotated[tuple[_TokenId, ...], Meta(max_length=_MOST_STOP_TOKENS)] | None = None
