"""What admission needs to know of a request, as a value."""

import msgspec

from servery.core.price import Price
from servery.core.serving_path import ServingClass
from servery.core.usage import Usage


class Weights(msgspec.Struct, frozen=True):
    """What a cached prompt token and a generated one count, where one of the prompt that must be computed counts 1."""

    cached: float = 0.5
    generated: float = 4.0

    @classmethod
    def of(cls, price: Price) -> "Weights":
        """The ratios of a price list, which say what the operator thinks that tokens cost; its Standard row, so that
        all classes count alike. Where the prompt is free there is no ratio, and the usual ones are taken."""
        unit = price.input_picodollars_per_token
        if unit == 0:
            return cls()
        return cls(price.cached_input_picodollars_per_token / unit, price.output_picodollars_per_token / unit)

    def work(self, usage: Usage) -> float:
        """What was really done, in the unit of ``Demand.work``."""
        return (
            usage.uncached_prompt_tokens
            + self.cached * usage.cached_prompt_tokens
            + self.generated * usage.generated_tokens
        )


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens are predictions. ``session`` names calls that should be shed together or not at all, where it is known."""

    account: str
    serving_class: ServingClass = ServingClass.STANDARD
    prompt_tokens: float
    uncached_prompt_tokens: float
    generated_tokens: float
    weights: Weights = Weights()
    session: str | None = None

    @property
    def resident_tokens(self) -> float:
        """What it will hold of a KV cache at its end."""
        return self.prompt_tokens + self.generated_tokens

    @property
    def work(self) -> float:
        """What it asks of an engine, in uncached prompt tokens; never nothing."""
        weights, uncached = self.weights, self.uncached_prompt_tokens
        cached = self.prompt_tokens - uncached
        return max(1.0, uncached + weights.cached * cached + weights.generated * self.generated_tokens)
