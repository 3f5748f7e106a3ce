"""What a request is expected to use."""

from servery.core.acyclic import acyclic
from servery.core.value import Value


@acyclic
class Estimate(Value):
    """Tokens that a request is expected to use."""

    FIELDS = ("prompt_tokens", "uncached_prompt_tokens", "generated_tokens")
    __slots__ = FIELDS

    def __init__(self, prompt_tokens: int, uncached_prompt_tokens: int, generated_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        self.uncached_prompt_tokens = uncached_prompt_tokens
        self.generated_tokens = generated_tokens
