"""Usage as engines report it in OpenAI's form."""

import msgspec


class ReportedDetails(msgspec.Struct, frozen=True, gc=False):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class ReportedUsage(msgspec.Struct, frozen=True, gc=False):
    """The ``usage`` object of OpenAI's protocol, as engines send it (some leave parts out, some send null). SGLang
    tells ``reasoning_tokens`` beside the others, not among the details."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: ReportedDetails | None = None
    completion_tokens_details: ReportedDetails | None = None
    reasoning_tokens: int | None = None
