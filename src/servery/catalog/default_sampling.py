"""How a model's tokens are drawn when a request does not say."""

import msgspec

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


class DefaultSampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """As ``core.sampling.Sampling``, in the catalog."""

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
