"""How far predictions of cached tokens are from what engines report."""


class IndexErrorSum:
    """Sums over responses: ``prompt_tokens``, and ``error_tokens``, the absolute difference of predicted and reported
    cached tokens. Their ratio is the mean error as a share of the prompts."""

    __slots__ = ("error_tokens", "prompt_tokens")

    def __init__(self) -> None:
        self.error_tokens = 0.0
        self.prompt_tokens = 0

    def add(self, *, predicted_tokens: float, reported_tokens: int, prompt_tokens: int) -> None:
        self.error_tokens += abs(predicted_tokens - reported_tokens)
        self.prompt_tokens += prompt_tokens
