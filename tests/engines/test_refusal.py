"""An engine's refusals, in our words."""

import json

import pytest

from servery.core.errors import (
    ContextExceeded,
    EngineBroke,
    EngineUnavailable,
    InvalidRequest,
    Overloaded,
    PayloadTooLarge,
    ServeryError,
)
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
    for nonsense in (b"-5", b"9" * 6, b"9" * 400, b"9" * 5_000):
        assert refusal_from(503, b"", retry_after=nonsense).retry_after_s == 1


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


@pytest.mark.parametrize(
    "words",
    [
        (
            "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input"
            " tokens, which exceeds this limit even without any output tokens. (parameter=input_tokens, value=2049)"
        ),
        "The input (2049 tokens) is longer than the model's context length (2048 tokens).",
    ],
)
def test_a_prompt_without_room_for_an_answer_is_told_alike(words: str) -> None:
    """Whichever engine says it: no shorter answer would help."""
    told = refusal_from(400, body(words))
    assert not isinstance(told, ContextExceeded)
    assert told.message == "The prompt is too long: 2049, model maximum context length: 2048"


@pytest.mark.parametrize(
    ("words", "prompt_tokens"),
    [
        (
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 2000. This model's maximum context length is"
                " 2048 tokens and your request has 100 input tokens (2000 > 2048 - 100)."
            ),
            100,
        ),
        (
            (
                "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens (100 in the"
                " messages, 2000 in the completion). Please reduce the length of the messages or completion."
            ),
            100,
        ),
        (
            (
                "This model's maximum context length is 2048 tokens. However, you requested 2000 output tokens and your"
                " prompt contains 100 input tokens, for a total of 2100 tokens."
            ),
            100,
        ),
        (
            (
                "This model's maximum context length is 2048 tokens. However, you requested 2000 output tokens and your"
                " prompt contains at least 49 input tokens, for a total of at least 2049 tokens."
            ),
            None,
        ),
        (
            (
                "Requested token count exceeds the model's maximum context length of 2048 tokens. You requested a total"
                " of 2100 tokens: 100 tokens from the input messages and 2000 tokens for the completion."
            ),
            100,
        ),
    ],
)
def test_prompt_and_answer_that_are_too_long_together(words: str, prompt_tokens: int | None) -> None:
    """How long the prompt is, where the engine has counted it whole: so an answer that fits can be asked for."""
    told = refusal_from(400, body(words))
    assert isinstance(told, ContextExceeded)
    assert (told.context_tokens, told.prompt_tokens) == (2048, prompt_tokens)


def test_the_operators_name_for_the_model_is_not_told() -> None:
    """As a word or a path; a word that merely contains it stays."""
    told = refusal_from(400, body("/opt/tiny is no multimodal model"), served_model="/opt/tiny")
    assert told.message == "the model is no multimodal model"
    told = refusal_from(400, body("tiny cannot; tiny-er and a/tiny can; ask `tiny`."), served_model="tiny")
    assert told.message == "the model cannot; tiny-er and a/tiny can; ask `the model`."
    assert break_from(body("tiny fell over"), served_model="tiny").message == "the model fell over"


@pytest.mark.parametrize(
    ("code", "kind"), [(400, InvalidRequest), (503, Overloaded), (500, EngineUnavailable), (None, EngineBroke)]
)
def test_an_error_that_opens_a_stream_is_a_refusal(code: int | None, kind: type[ServeryError]) -> None:
    """vLLM opens the stream with 200 and refuses then, with the status inside; after the first token it is a break."""
    event = body("words", code=code, type="BadRequestError")
    assert type(break_from(event, began=False)) is kind
    assert type(break_from(event, began=True)) is EngineBroke
