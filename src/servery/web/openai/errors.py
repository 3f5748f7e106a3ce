"""Refusals in this dialect.

Fireworks answers with two families of bodies, and clients are written against both:

* its *gateway*: ``{"error": {"message", "param", "code", "type": "error"}, "request_id"}`` with ``code`` a word such
  as ``NOT_FOUND``;
* its *inference server*, for what is refused on the way to or by a model: 400, 429, 503: ``{"error": {"object":
  "error", "type", "code", "message"}}`` with ``type`` and ``code`` in small letters. A 429 is captured with
  ``invalid_request_error`` as both.

The same families are used here for the same statuses, each as a superset that the OpenAI client reads too: always
``message``, ``type``, ``param``, ``code`` and ``request_id``; with a 429 also ``rate_limit``. What is longer than the
model's context has OpenAI's code for that, by which its clients know that they have to shorten a conversation.
"""

import msgspec
from msgspec import UNSET, UnsetType

from servery.core.errors import (
    ContextExceeded,
    InvalidRequest,
    LimitExceeded,
    Overloaded,
    PromptTooLong,
    ServeryError,
)
from servery.web.openai.rate_limit import RateLimit, rate_limit

_INVALID = "invalid_request_error"
_TOO_LONG = "context_length_exceeded"


class _GatewayError(msgspec.Struct):
    message: str
    param: str | None
    code: str
    type: str = "error"


class _InferenceError(msgspec.Struct):
    type: str
    code: str
    message: str
    param: str | None
    object: str = "error"
    rate_limit: RateLimit | UnsetType = UNSET


class _ErrorBody(msgspec.Struct):
    error: _GatewayError | _InferenceError
    request_id: str


def error_body(error: ServeryError, request_id: str) -> bytes:
    """The JSON body that goes with ``error.status``."""
    return msgspec.json.encode(_ErrorBody(_shown(error), request_id))


def error_frame(error: ServeryError, request_id: str) -> bytes:
    """What ends a broken stream: the OpenAI client raises APIError at an ``error`` key. No ``[DONE]`` follows, so that
    no reader takes the answer for complete."""
    return b"data: " + error_body(error, request_id) + b"\n\n"


def _shown(error: ServeryError) -> _GatewayError | _InferenceError:
    if isinstance(error, PromptTooLong | ContextExceeded):
        return _InferenceError(_INVALID, _TOO_LONG, error.message, error.param)
    if isinstance(error, InvalidRequest | LimitExceeded):
        return _InferenceError(_INVALID, _INVALID, error.message, error.param, rate_limit=rate_limit(error))
    if isinstance(error, Overloaded):
        return _InferenceError("server_error", "server_overloaded", error.message, error.param)
    return _GatewayError(error.message, error.param, error.code)
