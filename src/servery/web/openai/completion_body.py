"""The body of a completion request."""

from typing import Annotated

from msgspec import Meta

from servery.web.openai.request_fields import GenerationFields

TokenId = Annotated[int, Meta(ge=0, lt=2**31)]


class CompletionBody(GenerationFields, frozen=True, kw_only=True):
    prompt: str | list[str | TokenId | list[TokenId]]
    echo: bool | None = None
    best_of: object = None
