"""Turns an engine's own refusal into one of ours, which a tenant may see."""

import msgspec

from servery.core.errors import (
    EngineBroke,
    EngineUnavailable,
    InvalidRequest,
    Overloaded,
    PayloadTooLarge,
    ServeryError,
)

_MAX_MESSAGE_CHARACTERS = 1_000


class _ErrorObject(msgspec.Struct):
    message: str = ""
    type: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _ErrorBody(msgspec.Struct):
    error: _ErrorObject | str | None = None
    message: str = ""


_decoder = msgspec.json.Decoder(_ErrorBody)


def _read(body: bytes) -> _ErrorObject:
    try:
        found = _decoder.decode(body)
    except msgspec.MsgspecError:
        return _ErrorObject()
    if isinstance(found.error, _ErrorObject):
        return found.error
    return _ErrorObject(message=found.error or found.message)


def refusal_from(status: int, body: bytes, *, retry_after: bytes | None = None) -> ServeryError:
    """The error for an engine's answer other than 200.

    What the request did wrong is passed on with the engine's words; what the engine did wrong is told without them,
    because they may speak of the operator's machines.
    """
    told = _read(body)
    message = told.message[:_MAX_MESSAGE_CHARACTERS]
    if told.type == "exceed_context_size_error":
        return InvalidRequest(
            f"The prompt is too long: {told.n_prompt_tokens}, model maximum context length: {told.n_ctx}"
        )
    if status in {400, 422}:
        return InvalidRequest(message or "the engine refused the request")
    if status == 413:
        return PayloadTooLarge(message or "the engine refused the request as too large")
    if status in {429, 503}:
        seconds = int(retry_after) if retry_after is not None and retry_after.isdigit() else 1
        return Overloaded("service overloaded, please try again later", retry_after_s=float(seconds))
    if status == 500 and "not supported" in message:
        return InvalidRequest(message)  # llama.cpp answers 500 to images for a model without eyes
    return EngineUnavailable(f"the engine that serves this model answered with status {status}")


def break_from(event: bytes) -> EngineBroke:
    """The error for an error object that an engine sent inside a stream."""
    return EngineBroke(_read(event).message[:_MAX_MESSAGE_CHARACTERS] or "the engine broke off the answer")
