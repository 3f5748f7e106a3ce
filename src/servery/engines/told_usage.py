"""What an engine has told of an answer's tokens."""

from servery.core.acyclic import acyclic
from servery.core.value import Value
from servery.engines.reported_usage import ReportedUsage


@acyclic
class ToldUsage(Value):
    """As it was told: more may be cached than there is prompt, and any number may be negative."""

    FIELDS = ("prompt_tokens", "cached_prompt_tokens", "generated_tokens", "reasoning_tokens")
    __slots__ = FIELDS

    def __init__(
        self, prompt_tokens: int, cached_prompt_tokens: int, generated_tokens: int, reasoning_tokens: int
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self.cached_prompt_tokens = cached_prompt_tokens
        self.generated_tokens = generated_tokens
        self.reasoning_tokens = reasoning_tokens


def told_by(reported: ReportedUsage) -> ToldUsage | None:
    """None where the prompt is left out: that is no report."""
    prompt = reported.prompt_tokens
    if prompt is None:
        return None
    prompt_details, generated_details = reported.prompt_tokens_details, reported.completion_tokens_details
    cached = None if prompt_details is None else prompt_details.cached_tokens
    reasoning = None if generated_details is None else generated_details.reasoning_tokens
    return ToldUsage(prompt, cached or 0, reported.completion_tokens or 0, reasoning or reported.reasoning_tokens or 0)
