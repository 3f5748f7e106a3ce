"""What one request used, in tokens: the single value that is shown, recorded and charged (money.md, rule 2)."""

from servery.core.acyclic import acyclic
from servery.core.value import Value


@acyclic
class Usage(Value):
    """Tokens of one request.

    ``cached_prompt_tokens`` is the part of ``prompt_tokens`` that the engine took from its prompt cache;
    ``reasoning_tokens`` the part of ``generated_tokens`` spent on reasoning. ``estimated`` marks a value that the
    engine did not report whole (it died, the client left, or it contradicted itself).
    """

    FIELDS = ("prompt_tokens", "cached_prompt_tokens", "generated_tokens", "reasoning_tokens", "estimated")
    __slots__ = FIELDS

    def __init__(
        self,
        prompt_tokens: int = 0,
        cached_prompt_tokens: int = 0,
        generated_tokens: int = 0,
        reasoning_tokens: int = 0,
        *,
        estimated: bool = False,
    ) -> None:
        assert 0 <= cached_prompt_tokens <= prompt_tokens, "cached tokens are a part of the prompt"
        assert 0 <= reasoning_tokens <= generated_tokens, "reasoning is a part of what was generated"
        self.prompt_tokens = prompt_tokens
        self.cached_prompt_tokens = cached_prompt_tokens
        self.generated_tokens = generated_tokens
        self.reasoning_tokens = reasoning_tokens
        self.estimated = estimated

    @property
    def uncached_prompt_tokens(self) -> int:
        return self.prompt_tokens - self.cached_prompt_tokens

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.generated_tokens


def corrected_usage(
    *, prompt_tokens: int, cached_prompt_tokens: int, generated_tokens: int, reasoning_tokens: int = 0
) -> Usage:
    """The written rule for an engine that contradicts itself: clamp into range and mark as estimated."""
    if 0 <= cached_prompt_tokens <= prompt_tokens and 0 <= reasoning_tokens <= generated_tokens:
        return Usage(prompt_tokens, cached_prompt_tokens, generated_tokens, reasoning_tokens)
    prompt = max(0, prompt_tokens)
    cached = min(max(0, cached_prompt_tokens), prompt)
    generated = max(0, generated_tokens)
    reasoning = min(max(0, reasoning_tokens), generated)
    return Usage(prompt, cached, generated, reasoning, estimated=True)
