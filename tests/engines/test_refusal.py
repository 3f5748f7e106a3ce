"""An engine's refusals, in our words."""

import json

import pytest

from servery.core.errors import EngineUnavailable, InvalidRequest, Overloaded, PayloadTooLarge, ServeryError
from servery.engines.refusal import break_from, refusal_from


def body(message: str, **more: object) -> bytes:
    return json.dumps({"error": {"message": message, **more}}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (422, InvalidRequest),
        (413, PayloadTooLarge),
        (429, Overloaded),
        (503, Overloaded),
        (401, EngineUnavailable),
        (404, EngineUnavailable),
        (500, EngineUnavailable),
        (302, EngineUnavailable),
    ],
)
def test_each_status_has_its_refusal(status: int, kind: type[ServeryError]) -> None:
    """What the caller did wrong stays the caller's; all else is the engine's."""
    assert type(refusal_from(status, body("words"))) is kind


def test_words_about_the_request_pass_and_words_about_the_engine_do_not() -> None:
    """An engine's troubles may speak of the operator's machines."""
    assert refusal_from(400, body("bad grammar")).message == "bad grammar"
    assert "10.0.0.7" not in refusal_from(500, body("cannot reach 10.0.0.7")).message
    assert "10.0.0.7" not in refusal_from(503, body("cannot reach 10.0.0.7")).message
    assert len(refusal_from(400, body("x" * 5_000)).message) == 1_000


def test_a_prompt_that_is_too_long_is_told_in_tokens() -> None:
    """As llama.cpp says it, whatever the status."""
    told = refusal_from(400, body("...", type="exceed_context_size_error", n_prompt_tokens=5000, n_ctx=4096))
    assert isinstance(told, InvalidRequest)
    assert "5000" in told.message
    assert "4096" in told.message


def test_when_to_come_back_is_passed_on() -> None:
    """Retry-After in seconds; a date or nothing means a second."""
    assert refusal_from(503, b"", retry_after=b"17").retry_after_s == 17
    assert refusal_from(429, b"", retry_after=b"Wed, 21 Oct 2026 07:28:00 GMT").retry_after_s == 1
    assert refusal_from(429, b"").retry_after_s == 1


@pytest.mark.parametrize(
    "text", [b"", b"oops", b"[]", b'{"error":"words"}', b'{"message":"words"}', b'{"error":7}', b"\xff"]
)
def test_any_body_makes_a_refusal(text: bytes) -> None:
    """An engine's error need not be of any form."""
    refusal = refusal_from(400, text)
    assert refusal.message in {"words", "the engine refused the request"}


def test_an_error_in_a_stream_keeps_its_words() -> None:
    """Told to the client in the error frame."""
    assert break_from(body("out of memory")).message == "out of memory"
    assert break_from(b"{").message
