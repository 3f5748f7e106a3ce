"""Refusals: two families of bodies, each a superset that clients of both read."""

import msgspec
import pytest

from servery.core import errors
from servery.core.errors import (
    ContextExceeded,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    Overloaded,
    PromptTooLong,
    ServeryError,
)
from servery.web.openai.errors import error_body, error_frame

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ServeryError)]


@pytest.mark.parametrize("kind", ALL)
def test_every_refusal_has_what_clients_read(kind: type[ServeryError]) -> None:
    """Message, type, param, code and the request's id, whatever the status."""
    error = ServeryError.__new__(kind)  # some kinds are made with facts of their own
    ServeryError.__init__(error, "no", param="model")
    body = msgspec.json.decode(error_body(error, "chatcmpl-1"))
    assert body["request_id"] == "chatcmpl-1"
    assert body["error"].keys() >= {"message", "type", "param", "code"}
    assert (body["error"]["message"], body["error"]["param"]) == ("no", "model")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFound("Model not found", param="model"), {"code": "NOT_FOUND", "type": "error", "param": "model"}),
        (
            LimitExceeded("rate limit exceeded"),
            {"object": "error", "type": "invalid_request_error", "code": "invalid_request_error", "param": None},
        ),
        (
            InvalidRequest("too long", param="messages"),
            {"object": "error", "type": "invalid_request_error", "code": "invalid_request_error", "param": "messages"},
        ),
        (
            PromptTooLong(prompt_tokens=9, context_tokens=8),
            {"object": "error", "type": "invalid_request_error", "code": "context_length_exceeded", "param": None},
        ),
        (
            ContextExceeded("too long", context_tokens=8, prompt_tokens=None),
            {
                "object": "error",
                "type": "invalid_request_error",
                "code": "context_length_exceeded",
                "param": "max_tokens",
            },
        ),
        (
            Overloaded("service overloaded"),
            {"object": "error", "type": "server_error", "code": "server_overloaded", "param": None},
        ),
    ],
)
def test_the_family_follows_the_status(error: ServeryError, expected: dict[str, object]) -> None:
    """What a model's server refuses has its server's shape, all else the gateway's."""
    assert msgspec.json.decode(error_body(error, "r"))["error"] == {**expected, "message": error.message}


def test_a_broken_stream_ends_without_the_terminator() -> None:
    """An error frame is the last; no reader may take the answer for complete."""
    frame = error_frame(Overloaded("x"), "r")
    assert frame.startswith(b'data: {"error":')
    assert frame.endswith(b"\n\n")
    assert b"[DONE]" not in frame
