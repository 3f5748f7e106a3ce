"""How high an account's limits for a model can rise."""

import msgspec

from servery.catalog.model import Model
from servery.catalog.token_limits import TokenLimits
from servery.settings import Settings

_UNCACHED_PROMPT_SHARE = 4
_GENERATED_SHARE = 100


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


class Ceilings:
    """Looked up on every request, so worked out once for each model and spend tier. The limits that a catalog lists for
    a model are its ceilings for all accounts."""

    def __init__(self, rules: CeilingRules | None = None) -> None:
        self._rules = rules or CeilingRules()
        self._known: dict[tuple[str, int], tuple[Model, TokenLimits]] = {}

    def of(self, model: Model, *, spend_tier: int) -> TokenLimits:
        """The ceilings of an account of ``spend_tier``. The same object each time, while the model is the same."""
        key = (model.name, spend_tier)
        known = self._known.get(key)
        if known is None or known[0] is not model:
            known = self._known[key] = (model, model.limits or self._by_size(model.parameter_count, spend_tier))
        return known[1]

    def _by_size(self, parameter_count: int | None, spend_tier: int) -> TokenLimits:
        rules = self._rules
        if parameter_count is not None and parameter_count < rules.small_below_parameters:
            prompt = rules.small
        elif parameter_count is not None and parameter_count < rules.medium_below_parameters:
            prompt = rules.medium
        else:
            prompt = rules.large
        share = {1: rules.tier_1_share, 2: rules.tier_2_share}.get(spend_tier, 1.0)
        prompt = max(1, round(prompt * share))
        return TokenLimits(
            prompt_tokens_per_minute=prompt,
            uncached_prompt_tokens_per_minute=max(1, prompt // _UNCACHED_PROMPT_SHARE),
            generated_tokens_per_minute=max(1, prompt // _GENERATED_SHARE),
        )


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
