"""How an answer's tokens are drawn."""

from typing import Annotated, Final

import msgspec
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


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How tokens are drawn. None means: as the catalog's model says, else as the engine does by itself. ``top_k`` 0: of
    all tokens. What is read from outside is held to these ranges, which are the API's."""

    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: TokenCount | None = None
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

    def given(self) -> dict[str, object]:
        """The fields that are set, by name."""
        given: dict[str, object] = msgspec.to_builtins(self)  # leaves out what is None, as ``omit_defaults`` says
        return given


NOTHING_PRESCRIBED = Sampling()
