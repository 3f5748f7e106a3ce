"""How high an account's limits for a model can rise."""

from typing import Final

from servery.catalog.model import Model
from servery.catalog.token_limits import TokenLimits
from servery.limits.ceiling_rules import CeilingRules

_UNCACHED_PROMPT_SHARE: Final = 4
_GENERATED_SHARE: Final = 100


class Ceilings:
    """Looked up on every request, so worked out once for each model and spend tier. The limits that a catalog lists for
    a model are its ceilings for all accounts."""

    def __init__(self, rules: CeilingRules | None = None) -> None:
        self._rules = rules or CeilingRules()
        self._known: dict[int, dict[str, tuple[Model, TokenLimits]]] = {}

    def of(self, model: Model, *, spend_tier: int) -> TokenLimits:
        """The ceilings of an account of ``spend_tier``. The same object each time, while the model is the same."""
        of_tier, name = self._known.get(spend_tier), model.name
        if of_tier is None:
            of_tier = self._known[spend_tier] = {}
        known = of_tier.get(name)
        if known is None or known[0] is not model:
            known = of_tier[name] = (model, model.limits or self._by_size(model.parameter_count, spend_tier))
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
