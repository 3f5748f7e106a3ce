"""What an account's limits can grow to."""

import msgspec

from servery.settings import Settings


class CeilingRules(msgspec.Struct, frozen=True, kw_only=True):
    """Ceilings of total prompt tokens per minute by a model's total (not active) parameters: *small* below
    ``small_below_parameters``, *medium* below ``medium_below_parameters``, *large* above or where the size is not
    known. Of uncached prompt tokens it is a quarter, of generated ones a hundredth. Accounts of spend tiers 1 and 2
    have a share of that."""

    small: int = 216_000_000
    medium: int = 43_200_000
    large: int = 21_600_000
    small_below_parameters: int = 600_000_000_000
    medium_below_parameters: int = 1_600_000_000_000
    tier_1_share: float = 0.25
    tier_2_share: float = 0.5


def ceiling_rules(settings: Settings) -> CeilingRules:
    """The rules that the operator has set."""
    return CeilingRules(
        small=settings.limit_ceiling_small_prompt_tokens_per_minute,
        medium=settings.limit_ceiling_medium_prompt_tokens_per_minute,
        large=settings.limit_ceiling_large_prompt_tokens_per_minute,
        small_below_parameters=settings.limit_small_below_parameters,
        medium_below_parameters=settings.limit_medium_below_parameters,
        tier_1_share=settings.limit_tier_1_ceiling_share,
        tier_2_share=settings.limit_tier_2_ceiling_share,
    )
