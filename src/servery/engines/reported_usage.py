"""Usage as engines report it in OpenAI's form."""

import msgspec

from servery.core.usage import Usage


class ReportedDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class ReportedUsage(msgspec.Struct, frozen=True):
    """The ``usage`` object of OpenAI's protocol, as engines send it (some leave parts out, some send null). SGLang
    tells ``reasoning_tokens`` beside the others, not among the details."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: ReportedDetails | None = None
    completion_tokens_details: ReportedDetails | None = None
    reasoning_tokens: int | None = None

    def to_usage(self) -> Usage:
        prompt, generated = self.prompt_tokens, self.completion_tokens
        cached = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        reasoning = self.completion_tokens_details.reasoning_tokens if self.completion_tokens_details else None
        return Usage.corrected(
            prompt_tokens=prompt or 0,
            cached_prompt_tokens=cached or 0,
            generated_tokens=generated or 0,
            reasoning_tokens=reasoning or self.reasoning_tokens or 0,
        )
