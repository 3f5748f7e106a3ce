"""What tokens of different kinds count against each other."""

from servery.core.price import Price
from servery.core.usage import Usage


class WorkWeights:
    """What a cached prompt token and a generated one count, where one of the prompt that must be computed counts 1.
    Never changed."""

    __slots__ = ("cached", "generated")

    def __init__(self, cached: float = 0.5, generated: float = 4.0) -> None:
        self.cached = cached
        self.generated = generated

    @staticmethod
    def of(price: Price) -> "WorkWeights":
        """The ratios of a price list, which say what the operator thinks that tokens cost; its Standard row, so that
        all classes count alike. Where the prompt is free there is no ratio, and the usual ones are taken."""
        unit = price.input_picodollars_per_token
        if unit == 0:
            return WorkWeights()
        return WorkWeights(price.cached_input_picodollars_per_token / unit, price.output_picodollars_per_token / unit)

    def work(self, usage: Usage) -> float:
        """What was really done, in uncached prompt tokens."""
        return (
            usage.uncached_prompt_tokens
            + self.cached * usage.cached_prompt_tokens
            + self.generated * usage.generated_tokens
        )
