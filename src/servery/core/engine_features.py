"""Which optional features of a request each family of engines honours, rather than ignoring them or failing."""

from collections.abc import Iterable
from typing import Final

from servery.core.engine_family import EngineFamily

_SAMPLING_OF_ALL: Final = frozenset(
    {"temperature", "top_p", "frequency_penalty", "presence_penalty", "logit_bias", "seed"}
)  # fmt: skip
_SAMPLING_OF_OPEN_ENGINES: Final = _SAMPLING_OF_ALL | {"top_k", "min_p", "repetition_penalty", "ignore_eos"}
_LENGTH_AND_STOPS: Final = frozenset({"min_tokens", "stop_token_ids"})
_FEATURES: Final = frozenset({"structure", "tools", "chat_template_kwargs", "logprobs"})

_HONOURED: Final = {
    EngineFamily.LLAMA_CPP: _SAMPLING_OF_OPEN_ENGINES
    | _FEATURES
    | {"typical_p", "mirostat_target", "mirostat_lr", "grammar", "reasoning_effort"},
    EngineFamily.VLLM: _SAMPLING_OF_OPEN_ENGINES
    | _LENGTH_AND_STOPS
    | _FEATURES
    | {"grammar", "echo", "reasoning_effort"},
    EngineFamily.SGLANG: _SAMPLING_OF_OPEN_ENGINES | _LENGTH_AND_STOPS | _FEATURES | {"grammar", "reasoning_effort"},
    EngineFamily.OPENAI: _SAMPLING_OF_ALL | {"structure", "tools", "logprobs", "reasoning_effort"},
}


def honoured_by(family: EngineFamily) -> frozenset[str]:
    """The optional features that work at engines of ``family``, by our names of them."""
    return _HONOURED[family]


def honoured_by_all(families: Iterable[EngineFamily]) -> frozenset[str]:
    """The optional features that work at engines of all ``families``."""
    return frozenset.intersection(*(honoured_by(family) for family in families))
