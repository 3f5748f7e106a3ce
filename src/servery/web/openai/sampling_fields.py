"""The request fields that say how tokens are drawn, with the ranges that the API documents."""

from typing import Annotated

import msgspec
from msgspec import Meta

from servery.core.errors import InvalidRequest
from servery.core.inference import Sampling

_Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Probability = Annotated[float, Meta(ge=0, le=1)]


class SamplingFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Part of a request's body; a field that is null is as good as absent."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: _Probability | None = None
    top_k: Annotated[int, Meta(ge=0, le=100)] | None = None
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

    def sampling(self) -> Sampling:
        """Raises InvalidRequest when ``logit_bias`` names something that is no token id."""
        for token in self.logit_bias or ():
            if not (token.isascii() and token.isdigit()):
                raise InvalidRequest(f"logit_bias maps token ids to numbers; {token!r} is no id.", param="logit_bias")
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            typical_p=self.typical_p,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            repetition_penalty=self.repetition_penalty,
            mirostat_target=self.mirostat_target,
            mirostat_lr=self.mirostat_lr,
            logit_bias=self.logit_bias or None,
            seed=self.seed,
            ignore_eos=self.ignore_eos,
        )


def nth_seed(seed: int, choice: int) -> int:
    """The seed of the ``choice``-th answer to one prompt: consecutive, and wrapping around in 64 bits."""
    return (seed + choice + 2**63) % 2**64 - 2**63
