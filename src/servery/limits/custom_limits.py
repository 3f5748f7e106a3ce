"""Limits that the operator has fixed for one account and one model or router."""

import msgspec

from servery.catalog.token_limits import TokenLimits, TokensPerMinute


class CustomLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Never adapted and never reset, also above the ceilings. What is None adapts as ever."""

    prompt_tokens_per_minute: TokensPerMinute | None = None
    uncached_prompt_tokens_per_minute: TokensPerMinute | None = None
    generated_tokens_per_minute: TokensPerMinute | None = None

    @property
    def is_empty(self) -> bool:
        return self == CustomLimits()

    def over(self, adapted: TokenLimits) -> TokenLimits:
        """What is fixed, and the rest of ``adapted``."""
        return TokenLimits(
            prompt_tokens_per_minute=self.prompt_tokens_per_minute or adapted.prompt_tokens_per_minute,
            uncached_prompt_tokens_per_minute=self.uncached_prompt_tokens_per_minute
            or adapted.uncached_prompt_tokens_per_minute,
            generated_tokens_per_minute=self.generated_tokens_per_minute or adapted.generated_tokens_per_minute,
        )
