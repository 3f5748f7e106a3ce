"""How an answer's tokens are drawn."""

from typing import Any, Final

import msgspec

from servery.core.value import Value

NAMES: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "mirostat_target",
    "mirostat_lr",
    "logit_bias",
    "seed",
    "ignore_eos",
    "min_tokens",
    "stop_token_ids",
)
"""Of the ways to say how tokens are drawn."""


class Sampling(Value):
    """How tokens are drawn: what of it is ``given``, by name; not to be changed. The rest is as the catalog's model
    says, else as the engine does by itself. ``top_k`` 0: of all tokens. ``seed`` and ``min_tokens`` are among what is
    given, and looked at for each request."""

    FIELDS = ("given",)
    __slots__ = (*FIELDS, "_fields_json", "_within", "min_tokens", "seed")

    def __init__(
        self,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        min_p: float | None = None,
        typical_p: float | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        repetition_penalty: float | None = None,
        mirostat_target: float | None = None,
        mirostat_lr: float | None = None,
        logit_bias: dict[str, float] | None = None,
        seed: int | None = None,
        ignore_eos: bool | None = None,
        min_tokens: int | None = None,
        stop_token_ids: tuple[int, ...] | None = None,
    ) -> None:
        values = [
            temperature,
            top_p,
            top_k,
            min_p,
            typical_p,
            frequency_penalty,
            presence_penalty,
            repetition_penalty,
            mirostat_target,
            mirostat_lr,
            logit_bias,
            seed,
            ignore_eos,
            min_tokens,
            stop_token_ids,
        ]
        given: dict[str, Any] = {}
        for place, value in enumerate(values):
            if value is not None:
                given[NAMES[place]] = value
        self.given = given
        self.seed = seed
        self.min_tokens = min_tokens
        self._fields_json: bytes | None = None
        self._within: frozenset[str] | None = None

    @property
    def fields_json(self) -> bytes:
        """What is given, as fields of a JSON object, with a comma before each. A client's requests have most often the
        same sampling, so it is written once."""
        if self._fields_json is None:
            self._fields_json = b"," + msgspec.json.encode(self.given)[1:-1] if self.given else b""
        return self._fields_json

    def is_within(self, names: frozenset[str]) -> bool:
        """Whether all that is given is among ``names``. The same are asked for again and again, and looked at once."""
        if self._within is not names:
            if not names.issuperset(self.given):
                return False
            self._within = names
        return True

    def but(self, **changes: Any) -> "Sampling":
        """The same with some fields set otherwise; None: not set."""
        return Sampling(**(self.given | changes))


NOTHING_PRESCRIBED: Final = Sampling()
