"""What a request for chat and a request for a completion have in common."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servery.core.errors import InvalidRequest
from servery.core.inference import Generation, InferenceRequest
from servery.core.serving_path import Endpoint
from servery.web.openai.attribution import cost_labels, isolation_key, session
from servery.web.openai.presentation import LogprobForm, LogprobsAsked, Presentation
from servery.web.openai.response_format import ResponseFormat
from servery.web.openai.sampling_fields import SamplingFields, nth_seed

CHOICES_MAX = 128
STOPS_MAX = 16
_STOP_CHARS_MAX = 1_024
_LEGACY_LOGPROBS_MAX = 5
_NO_LOGPROBS = LogprobsAsked()

_StopText = Annotated[str, Meta(min_length=1, max_length=_STOP_CHARS_MAX)]
_Tokens = Annotated[int, Meta(ge=1, lt=2**31)]


class Unsupported:
    """Fields of a body that are known to the API and not supported here; ``off`` holds, by name, the values that mean
    that nothing is asked, beside null."""

    def __init__(self, off: Mapping[str, tuple[object, ...]]) -> None:
        self._off = off
        self._values = attrgetter(*off)
        self._nothing = (None,) * len(off)

    def check(self, fields: msgspec.Struct) -> None:
        """Raises InvalidRequest for the first that asks for something."""
        values = self._values(fields)
        if values == self._nothing:
            return
        for (name, off), value in zip(self._off.items(), values, strict=True):
            if value is not None and value not in off:
                raise InvalidRequest(f"{name} is not supported.", param=name)


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """Usage is sent unless ``include_usage`` is false. Frames are sent as they come: there is no buffering."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    include_internal_content: bool | None = None
    buffer_tokens: int | None = None
    buffer_ms: float | None = None
    buffer_mode: str | None = None


class GenerationFields(SamplingFields, kw_only=True):
    """Part of a request's body. Fields typed ``object`` are known to the API and not supported here."""

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

    # Not supported.
    echo_last: object = None
    include_routing_matrix: object = None
    moderation: object = None
    prediction: object = None
    prompt_cache_max_len: object = None
    raw_output: object = None
    return_token_ids: object = None
    sampling_mask: object = None
    speculation: object = None
    store: object = None

    def check(self, unsupported: Unsupported) -> None:
        """Raises InvalidRequest for a field that asks for what is not supported."""
        unsupported.check(self)
        if self.stream_options is not None:
            if not self.stream:
                raise InvalidRequest("stream_options is allowed only with stream.", param="stream_options")
            for name in ("include_obfuscation", "include_internal_content", "buffer_tokens", "buffer_ms"):
                if getattr(self.stream_options, name):
                    raise InvalidRequest(f"{name} is not supported.", param=f"stream_options.{name}")

    @property
    def include_usage(self) -> bool:
        return self.stream_options is None or self.stream_options.include_usage is not False

    @property
    def choices_per_prompt(self) -> int:
        return self.n or 1

    def request(
        self, headers: Mapping[str, str], *, request_id: str, endpoint: Endpoint, work: tuple[Generation, ...]
    ) -> InferenceRequest:
        """What is asked, with ``work`` done."""
        return InferenceRequest(
            request_id=request_id,
            endpoint=endpoint,
            model=self.model,
            work=work,
            choices_per_prompt=self.n or 1,
            stream=bool(self.stream),
            priority=self.service_tier == "priority",
            session=session(headers, self.prompt_cache_key, self.user),
            isolation_key=isolation_key(headers, self.prompt_cache_isolation_key),
            truncate_to_context=self.context_length_exceeded_behavior != "error",
            cost_labels=cost_labels(headers),
        )

    def presentation(
        self, request: InferenceRequest, logprobs: LogprobsAsked, *, function_calls: bool = False
    ) -> Presentation:
        """How the answer to ``request`` is to be shown."""
        return Presentation(
            request_id=request.request_id,
            model=self.model,
            branches=len(request.work),
            include_usage=self.include_usage,
            perf_metrics=bool(self.perf_metrics_in_response),
            logprobs=logprobs,
            function_calls=function_calls,
        )

    def tokens_max(self) -> int | None:
        """Raises InvalidRequest when both of its spellings are given."""
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise InvalidRequest(
                "max_tokens and max_completion_tokens exclude each other.", param="max_completion_tokens"
            )
        return self.max_tokens if self.max_tokens is not None else self.max_completion_tokens

    def stops(self) -> tuple[str, ...]:
        if isinstance(self.stop, str):
            return (self.stop,) if self.stop else ()
        return tuple(self.stop or ())

    def logprobs_asked(self) -> LogprobsAsked:
        """A bool asks for OpenAI's chat form, a number for the legacy form with as many alternatives. Raises
        InvalidRequest for a number that is out of range, and for ``top_logprobs`` without ``logprobs: true``."""
        if self.logprobs is True:
            return LogprobsAsked(LogprobForm.CONTENT, self.top_logprobs or 0)
        if self.top_logprobs:
            raise InvalidRequest("top_logprobs needs logprobs: true.", param="top_logprobs")
        if self.logprobs is None or self.logprobs is False:
            return _NO_LOGPROBS
        if not 0 <= self.logprobs <= _LEGACY_LOGPROBS_MAX:
            raise InvalidRequest(f"logprobs is true, false, or 0 to {_LEGACY_LOGPROBS_MAX}.", param="logprobs")
        return LogprobsAsked(LogprobForm.LEGACY, self.logprobs)

    def choices_of(self, generation: Generation) -> tuple[Generation, ...]:
        """The request's choices of one prompt: alike but for their seeds, which count up from the one given."""
        choices, seed = self.n or 1, generation.sampling.seed
        if choices == 1 or seed is None:
            return (generation,) * choices
        return tuple(
            msgspec.structs.replace(
                generation, sampling=msgspec.structs.replace(generation.sampling, seed=nth_seed(seed, choice))
            )
            for choice in range(choices)
        )


UNSUPPORTED: Mapping[str, tuple[object, ...]] = {
    "echo_last": (0,),
    "include_routing_matrix": (False,),
    "moderation": (),
    "prediction": (),
    "prompt_cache_max_len": (),
    "raw_output": (False,),
    "return_token_ids": (False,),
    "sampling_mask": (),
    "speculation": ("", []),
    "store": (False,),
}
