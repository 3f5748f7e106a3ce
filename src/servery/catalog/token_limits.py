"""The ceilings of an account's use of one model, in tokens per minute."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

TokensPerMinute = Annotated[int, Meta(ge=1)]


class TokenLimits(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={
        "prompt_tokens_per_minute": "prompt",
        "uncached_prompt_tokens_per_minute": "uncached_prompt",
        "generated_tokens_per_minute": "generated",
    },
):
    """``prompt`` counts cached and uncached prompt tokens together."""

    prompt_tokens_per_minute: TokensPerMinute
    uncached_prompt_tokens_per_minute: TokensPerMinute
    generated_tokens_per_minute: TokensPerMinute


_SMALL_BELOW_PARAMETERS: Final = 600_000_000_000
_MEDIUM_BELOW_PARAMETERS: Final = 1_600_000_000_000


def ceilings_by_size(parameter_count: int | None) -> TokenLimits:
    """Ceilings by total (not active) parameters; a model of unknown size has those of the largest."""
    if parameter_count is not None and parameter_count < _SMALL_BELOW_PARAMETERS:
        return _ceilings(216_000_000)
    if parameter_count is not None and parameter_count < _MEDIUM_BELOW_PARAMETERS:
        return _ceilings(43_200_000)
    return _ceilings(21_600_000)


def _ceilings(prompt_tokens_per_minute: int) -> TokenLimits:
    return TokenLimits(
        prompt_tokens_per_minute=prompt_tokens_per_minute,
        uncached_prompt_tokens_per_minute=prompt_tokens_per_minute // 4,
        generated_tokens_per_minute=prompt_tokens_per_minute // 100,
    )
