"""What admission needs to know of a request, as a value."""

from typing import Final

from servery.core.acyclic import acyclic
from servery.core.serving_path import ServingClass
from servery.core.work_weights import WorkWeights

_STANDARD: Final = ServingClass.STANDARD


_USUAL: Final = WorkWeights()


@acyclic
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
        weights: WorkWeights = _USUAL,
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
