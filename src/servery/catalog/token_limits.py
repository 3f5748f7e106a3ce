"""Limits of an account's use of one model, in tokens per minute."""

from typing import Annotated

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
