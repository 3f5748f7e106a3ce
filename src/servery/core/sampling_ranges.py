"""The ranges of the ways to say how tokens are drawn, which are those of the API."""

from typing import Annotated, Final

from msgspec import Meta

_MOST_STOP_TOKENS: Final = 64

Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
RepetitionPenalty = Annotated[float, Meta(ge=0, le=2)]
Mirostat = Annotated[float, Meta(ge=0)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
TokenCount = Annotated[int, Meta(ge=0, lt=2**31)]
TokenId = Annotated[int, Meta(ge=0, lt=2**31)]
StopTokens = Annotated[tuple[TokenId, ...], Meta(max_length=_MOST_STOP_TOKENS)]
