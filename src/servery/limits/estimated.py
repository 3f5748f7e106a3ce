"""What a request is expected to use."""

import msgspec


class Estimate(msgspec.Struct, frozen=True):
    """Tokens that a request is expected to use."""

    prompt_tokens: int
    uncached_prompt_tokens: int
    generated_tokens: int
