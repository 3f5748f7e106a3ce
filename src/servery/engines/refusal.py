"""Turns an engine's own refusal into one of ours, which a tenant may see."""

import re

import msgspec

from servery.core.errors import (
    ContextExceeded,
    EngineBroke,
    EngineUnavailable,
    InvalidRequest,
    Overloaded,
    PayloadTooLarge,
    PromptTooLong,
    ServeryError,
)
from servery.engines.unreadable import UNREADABLE

_MAX_MESSAGE_CHARACTERS = 1_000
_SECONDS = re.compile(rb"\d{1,5}")


class _ErrorObject(msgspec.Struct):
    """``code`` is an HTTP status where engines write one."""

    message: str = ""
    type: object = ""
    code: object = None
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _ErrorBody(msgspec.Struct):
    error: _ErrorObject | str | None = None
    message: str = ""


_decoder = msgspec.json.Decoder(_ErrorBody)

# A prompt that leaves no room for any answer, as vLLM and SGLang say it; (tokens of prompt, of context) by name.
_PROMPT_TOO_LONG = (
    re.compile(
        r"maximum context length is (?P<context>\d+) tokens\. However, your prompt contains (?:at least )?"
        r"(?P<prompt>\d+) input tokens"
    ),
    re.compile(r"The input \((?P<prompt>\d+) tokens\) is longer than the model's context length \((?P<context>\d+)"),
)
# Prompt and answer together too long: vLLM before 0.32 in three wordings, one of which has counted only a part of the
# prompt; SGLang. Newer vLLM shortens the answer by itself.
_TOGETHER_TOO_LONG = (
    re.compile(r"maximum context length is (?P<context>\d+) tokens and your request has (?P<prompt>\d+) input tokens"),
    re.compile(
        r"maximum context length is (?P<context>\d+) tokens\. However, you requested \d+ tokens \((?P<prompt>\d+) in"
    ),
    re.compile(
        r"maximum context length is (?P<context>\d+) tokens\. However, you requested [1-9]\d* output tokens and your"
        r" prompt contains (?:at least \d+|(?P<prompt>\d+)) input tokens"
    ),
    re.compile(
        r"maximum context length of (?P<context>\d+) tokens\. You requested a total of \d+ tokens: (?P<prompt>\d+)"
        r" tokens from the input"
    ),
)


def _read(body: bytes) -> _ErrorObject:
    try:
        found = _decoder.decode(body)
    except UNREADABLE:
        return _ErrorObject()
    if isinstance(found.error, _ErrorObject):
        return found.error
    return _ErrorObject(message=found.error or found.message)


def refusal_from(status: int, body: bytes, *, retry_after: bytes | None = None, served_model: str = "") -> ServeryError:
    """The error for an engine's answer other than 200.

    What the request did wrong is passed on with the engine's words, but for ``served_model``, the operator's name for
    the model; what the engine did wrong is told without them, because they may speak of the operator's machines.
    """
    told = _read(body)
    message = _without_name(told.message, served_model)[:_MAX_MESSAGE_CHARACTERS]
    if told.type == "exceed_context_size_error":
        return PromptTooLong(prompt_tokens=told.n_prompt_tokens, context_tokens=told.n_ctx)
    if status in {400, 422}:
        return _too_long(message) or InvalidRequest(message or "the engine refused the request")
    if status == 413:
        return PayloadTooLarge(message or "the engine refused the request as too large")
    if status in {429, 503}:
        seconds = int(retry_after) if retry_after is not None and _SECONDS.fullmatch(retry_after) else 1
        return Overloaded("service overloaded, please try again later", retry_after_s=float(seconds))
    if status == 500 and "not supported" in message:
        return InvalidRequest(message)  # llama.cpp answers 500 to images for a model without eyes
    return EngineUnavailable(f"the engine that serves this model answered with status {status}")


def break_from(event: bytes, *, began: bool = True, served_model: str = "") -> ServeryError:
    """The error for an error object that an engine sent inside a stream.

    vLLM looks at some of a request only when its stream has been opened. So where nothing was generated before
    (``began``), the object is a refusal with the status that it names.
    """
    told = _read(event)
    status = told.code if isinstance(told.code, int) else 0
    if not began and 400 <= status <= 599:
        return refusal_from(status, event, served_model=served_model)
    is_internal = status >= 500 or told.type == "internal_error"
    message = "" if is_internal else _without_name(told.message, served_model)[:_MAX_MESSAGE_CHARACTERS]
    return EngineBroke(message or "the engine broke off the answer")


def _too_long(message: str) -> InvalidRequest | None:
    """What ``message`` says of the lengths of prompt, answer and context, in our words; None when it is silent."""
    for wording in _PROMPT_TOO_LONG:
        if found := wording.search(message):
            return PromptTooLong(prompt_tokens=int(found["prompt"]), context_tokens=int(found["context"]))
    for wording in _TOGETHER_TOO_LONG:
        if found := wording.search(message):
            prompt = found["prompt"]
            return ContextExceeded(
                message, context_tokens=int(found["context"]), prompt_tokens=None if prompt is None else int(prompt)
            )
    return None


def _without_name(message: str, served_model: str) -> str:
    """The name is a word of its own, or a path: what merely contains it stays."""
    if not served_model:
        return message
    return re.sub(rf"(?<![\w/.-]){re.escape(served_model)}(?![\w/-])", "the model", message)
