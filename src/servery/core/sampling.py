"""How an answer's tokens are drawn."""

import msgspec


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How tokens are drawn. None means: as the catalog's model says, else as the engine does by itself. ``top_k`` 0: of
    all tokens."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    mirostat_target: float | None = None
    mirostat_lr: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    ignore_eos: bool | None = None
    min_tokens: int | None = None
    stop_token_ids: tuple[int, ...] | None = None

    def given(self) -> dict[str, object]:
        """The fields that are set, by name."""
        given: dict[str, object] = msgspec.to_builtins(self)  # leaves out what is None, as ``omit_defaults`` says
        return given


NOTHING_PRESCRIBED = Sampling()
