"""What admission needs to know of a request, as a value."""

from typing import Final

from servery.core.price import Price
from servery.core.serving_path import ServingClass
from servery.core.usage import Usage

_STANDARD: Final = ServingClass.STANDARD


class Weights:
    """What a cached prompt token and a generated one count, where one of the prompt that must be computed counts 1.
    Never changed."""

    __slots__ = ("cached", "generated")

    def __init__(self, cached: float = 0.5, generated: float = 4.0) -> None:
        self.cached = cached
        self.generated = generated

    @staticmethod
    def of(price: Price) -> "Weights":
        """The ratios of a price list, which say what the operator thinks that tokens cost; its Standard row, so that
        all classes count alike. Where the prompt is free there is no ratio, and the usual ones are taken."""
        unit = price.input_picodollars_per_token
        if unit == 0:
            return _USUAL
        return Weights(price.cached_input_picodollars_per_token / unit, price.output_picodollars_per_token / unit)

    def work(self, usage: Usage) -> float:
        """What was really done, in the unit of ``Demand.work``."""
        return (
            usage.uncached_prompt_tokens
            + self.cached * usage.cached_prompt_tokens
            + self.generated * usage.generated_tokens
        )


_USUAL: Final = Weights()


class Demand:
    """Tokens are predictions. ``session`` names calls that should be shed together or not at all, where it is known.
    ``resident_tokens`` is what it will hold of a KV cache at its end. Never changed."""

    __slots__ = (
        "account",
        "generated_tokens",
        "prompt_tokens",
        "resident_tokens",
        "serving_class",
        "session",
        "uncached_prompt_tokens",
        "weights",
    )

    def __init__(
        self,
        *,
        account: str,
        serving_class: ServingClass = _STANDARD,
        prompt_tokens: float,
        uncached_prompt_tokens: float,
        generated_tokens: float,
        weights: Weights = _USUAL,
        session: str | None = None,
    ) -> None:
        self.account = account
        self.serving_class = serving_class
        self.prompt_tokens = prompt_tokens
        self.uncached_prompt_tokens = uncached_prompt_tokens
        self.generated_tokens = generated_tokens
        self.weights = weights
        self.session = session
        self.resident_tokens = prompt_tokens + generated_tokens

    @property
    def work(self) -> float:
        """What it asks of an engine, in uncached prompt tokens; never nothing."""
        weights, uncached = self.weights, self.uncached_prompt_tokens
        cached = self.prompt_tokens - uncached
        return max(1.0, uncached + weights.cached * cached + weights.generated * self.generated_tokens)
