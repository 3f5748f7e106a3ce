"""Refusals in Anthropic's envelope: ``{"type": "error", "error": {"type", "message"}, "request_id"}``.

Every refusal has it, also for an unknown model or path, where Fireworks answers with its own body: Anthropic's clients
choose their exception by status alone and read a type and a message only from this envelope.
"""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from servery.core.errors import PromptTooLong, ServeryError
from servery.web.openai.rate_limit import RateLimit, rate_limit

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
]

CLIENTS_HEADER: Final = "anthropic-version"
"""By which Anthropic's clients are known; no other client sends it."""

THREAD: Final = "thread"
"""The field that asks the server to keep a conversation, as Anthropic's client does by itself where it runs tools. Told
in these words that the server does not, it goes on without."""

_TYPES: dict[int, ErrorType] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    412: "billing_error",  # the account is suspended or out of money
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class _Details(msgspec.Struct):
    """What clients act upon."""

    error_code: str
    unsupported: list[str]


class _Error(msgspec.Struct):
    type: ErrorType
    message: str
    details: _Details | UnsetType = UNSET
    rate_limit: RateLimit | UnsetType = UNSET


_NO_THREADS: Final = _Details("thread_unsupported_request", [THREAD])


class _Envelope(msgspec.Struct, tag_field="type", tag="error"):
    error: _Error
    request_id: str


def error_type(status: int) -> ErrorType:
    """By status; those without a type of their own are the client's fault below 500, ours from there."""
    return _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def error_body(error: ServeryError, request_id: str) -> bytes:
    """The JSON body that goes with ``error.status``."""
    shown = _Error(error_type(error.status), _message(error), rate_limit=rate_limit(error))
    if error.param == THREAD and error.status == 400:
        shown.details = _NO_THREADS
    return msgspec.json.encode(_Envelope(shown, request_id))


def _message(error: ServeryError) -> str:
    """Where Anthropic's clients go by the words, in Anthropic's: told so, they make a long conversation shorter."""
    if isinstance(error, PromptTooLong):
        return f"prompt is too long: {error.prompt_tokens} tokens > {error.context_tokens} maximum"
    return error.message


def error_frame(error: ServeryError, request_id: str) -> bytes:
    """What ends a broken stream; clients raise at it."""
    return b"event: error\ndata: " + error_body(error, request_id) + b"\n\n"
