"""What a request for chat and a request for a completion have in common."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servery.web.openai.response_format import ResponseFormat
from servery.web.openai.sampling_fields import SamplingFields

CHOICES_MAX = 128
STOPS_MAX = 16
_STOP_CHARS_MAX = 1_024

_StopText = Annotated[str, Meta(min_length=1, max_length=_STOP_CHARS_MAX)]
_Tokens = Annotated[int, Meta(ge=1, lt=2**31)]


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """Usage is sent unless ``include_usage`` is false. Frames are sent as they come: there is no buffering. With
    ``continuous_usage_stats``, which load generators ask for, usage comes at the end all the same."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    include_obfuscation: bool | None = None
    include_internal_content: bool | None = None
    buffer_tokens: int | None = None
    buffer_ms: float | None = None
    buffer_mode: str | None = None


class GenerationFields(SamplingFields, frozen=True, kw_only=True):
    """Part of a request's body. What is known to the API and not supported here is no field."""

    model: Annotated[str, Meta(min_length=1, max_length=512)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    context_length_exceeded_behavior: Literal["truncate", "error"] | None = None
    n: Annotated[int, Meta(ge=1, le=CHOICES_MAX)] | None = None
    stop: str | Annotated[list[_StopText], Meta(max_length=STOPS_MAX)] | None = None
    logprobs: bool | int | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    perf_metrics_in_response: bool | None = None
    service_tier: str | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_isolation_key: str | None = None

    # Without effect on the answer.
    metadata: dict[str, str] | None = None
    safety_identifier: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: dict[str, object] | None = None
