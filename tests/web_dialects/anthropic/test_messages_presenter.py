"""Messages as Anthropic's clients see them, from what a real engine sent."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web_dialects.parsers import parse_messages
from tests.web_dialects.shown import frame_of, whole_of

from servery.core import errors
from servery.core.errors import EngineUnavailable, NotFound, Overloaded, ServeryError
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.core.value import changed
from servery.serving.served import Served
from servery.web.anthropic.errors import error_body
from servery.web.presenter import Presenter

REQUEST_ID = "chatcmpl-" + "ab" * 16
Events = Callable[[str], list[bytes]]


def presenter(path: ServingPath = ServingPath.STANDARD, **fields: Any) -> Presenter:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9_999, **fields}
    shown = parse_messages(msgspec.json.encode(body), {}, REQUEST_ID).presenter
    shown.admitted(path)
    return shown


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **other: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **other}
    return msgspec.json.encode({"id": "e", "model": "e.gguf", "created": 1, "choices": [choice]})


def read(frames: bytes) -> list[Any]:
    """The events' data; each event's name is its type."""
    parts = frames.split(b"\n\n")
    assert parts.pop() == b""
    told = []
    for part in parts:
        name, data = part.split(b"\n")
        told.append(msgspec.json.decode(data.removeprefix(b"data: ")))
        assert name == b"event: " + told[-1]["type"].encode()
    return told


def played(shown: Presenter, events: list[bytes], served: Served) -> list[Any]:
    return read(b"".join(frame_of(shown, 0, event) for event in events) + shown.stream_end(served))


def usage(**tokens: Any) -> dict[str, Any]:
    zeros = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
    return {**zeros, "service_tier": "standard", **tokens}


def final_usage(**tokens: Any) -> dict[str, Any]:
    details = {"thinking_tokens": 2}
    shown = {"input_tokens": 1, "cache_read_input_tokens": 20, "output_tokens": 6, "output_tokens_details": details}
    return usage(**shown, **tokens)


def test_a_recorded_stream(events: Events, served: Served) -> None:
    """The events come in Anthropic's exact order, with zero usage at the start and all of it at the end."""
    assert played(presenter(), events("chat.sse"), served) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_" + "ab" * 16,
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": usage(),
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}
            for words in ["I", " am", " the", " Servery", " demo", " model"]
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "max_tokens", "stop_sequence": None},
            "usage": final_usage(),
        },
        {"type": "message_stop"},
    ]


def test_a_recorded_tool_use(events: Events, served: Served) -> None:
    """A call opens a block with its name and an empty input; fragments of the input follow as they come."""
    told = played(presenter(), events("tools.sse"), served)
    assert [event["type"] for event in told] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 8,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert told[1]["content_block"] == {
        "type": "tool_use",
        "id": "MEpghJxmyfUsIvJCnPfVVu3fpQ0gTdNM",
        "name": "get_weather",
        "input": {},
    }
    assert {event["delta"]["type"] for event in told[2:-3]} == {"input_json_delta"}
    assert "".join(event["delta"]["partial_json"] for event in told[2:-3]) == '{"city": "Munich"}'
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_blocks_follow_one_another(served: Served) -> None:
    """Thinking, text, two calls: each block is closed before the next opens, numbered in order, thinking signed."""
    call = {"id": "t1", "function": {"name": "f", "arguments": "{}"}}
    told = played(
        presenter(),
        [
            chunk({"role": "assistant", "content": ""}),
            *(chunk({"reasoning_content": word}) for word in ["h", "m", "!"]),
            chunk({"content": ""}),
            *(chunk({"content": word}) for word in ["a", "b", "c"]),
            chunk({"tool_calls": [{"index": 0, **call}, {"index": 1, **call, "id": None}]}),
            chunk({"tool_calls": [{"index": 1, "function": {"arguments": " "}}]}),
            chunk({}, "stop"),
        ],
        served,
    )
    assert [(event["type"], event.get("index")) for event in told] == [
        ("message_start", None),
        ("content_block_start", 0),
        *[("content_block_delta", 0)] * 4,
        ("content_block_stop", 0),
        ("content_block_start", 1),
        *[("content_block_delta", 1)] * 3,
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_delta", 2),
        ("content_block_stop", 2),
        ("content_block_start", 3),
        *[("content_block_delta", 3)] * 2,
        ("content_block_stop", 3),
        ("message_delta", None),
        ("message_stop", None),
    ]
    thoughts = [event["delta"] for event in told[2:6]]
    assert thoughts == [
        *({"type": "thinking_delta", "thinking": word} for word in ["h", "m", "!"]),
        {"type": "signature_delta", "signature": ""},
    ]
    assert told[15]["content_block"]["id"] == "toolu_" + "ab" * 16 + "_1"
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_block_that_closed_stays_closed(served: Served) -> None:
    """Text after a call opens a block of its own, however often the same events came before."""
    call = {"index": 0, "id": "t1", "function": {"name": "f", "arguments": "{}"}}
    words = [chunk({"content": "a"})] * 3
    told = played(presenter(), [*words, chunk({"tool_calls": [call]}), *words], served)
    deltas = [event["index"] for event in told if event["type"] == "content_block_delta"]
    assert deltas == [0, 0, 0, 1, 2, 2, 2]
    assert [event["index"] for event in told if event["type"] == "content_block_start"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("finish", "other", "reason", "sequence"),
    [
        ("stop", {}, "end_turn", None),
        ("stop", {"stop_reason": "END"}, "stop_sequence", "END"),
        ("stop", {"matched_stop": "END"}, "stop_sequence", "END"),
        ("stop", {"stop_reason": 7}, "end_turn", None),
        ("length", {"stop_reason": None}, "max_tokens", None),
        ("content_filter", {}, "refusal", None),
    ],
)
def test_stop_reasons(finish: str, other: dict[str, Any], reason: str, sequence: str | None, served: Served) -> None:
    """OpenAI's reasons in Anthropic's words; the stop sequence where an engine tells which."""
    *_, delta, _ = played(presenter(), [chunk({"content": "a"}), chunk({}, finish, **other)], served)
    assert delta["delta"] == {"stop_reason": reason, "stop_sequence": sequence}
    whole = msgspec.json.encode({"choices": [{"message": {"content": "a"}, "finish_reason": finish, **other}]})
    told = msgspec.json.decode(whole_of(presenter(), [whole], served))
    assert (told["stop_reason"], told["stop_sequence"]) == (reason, sequence)


def test_a_recorded_stop_sequence(events: Events, served: Served) -> None:
    """llama.cpp tells the stop text when asked to be verbose; the rest of what it then tells is not shown."""
    told = played(presenter(), events("stop.sse"), served)
    assert told[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "a"}
    assert b"verbose" not in msgspec.json.encode(told)


def test_an_answer_without_a_word(served: Served) -> None:
    """A stream of nothing is still a message with a start and an end."""
    told = read(presenter().stream_end(served))
    assert [event["type"] for event in told] == ["message_start", "message_delta", "message_stop"]
    assert read(frame_of(presenter(), 0, b'{"choices":[]}')) == []


def test_thinking_can_be_left_out(served: Served) -> None:
    """``display: omitted`` shows that there was thinking, not what."""
    shown = presenter(thinking={"type": "enabled", "budget_tokens": 2_000, "display": "omitted"})
    told = played(shown, [*(chunk({"reasoning": word}) for word in "abc"), chunk({"content": "x"})], served)
    assert [event["delta"]["type"] for event in told if "delta" in event and event["type"] != "message_delta"] == [
        "signature_delta",
        "text_delta",
    ]
    answer = {"choices": [{"message": {"reasoning_content": "abc", "content": "x"}, "finish_reason": "stop"}]}
    whole = msgspec.json.decode(whole_of(shown, [msgspec.json.encode(answer)], served))
    assert whole["content"] == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": "x"},
    ]


def test_the_tier_is_that_of_the_path_served(served: Served) -> None:
    """Priority is said where it was served, from the first event on."""
    told = played(presenter(ServingPath.PRIORITY), [chunk({"content": "a"})], served)
    assert told[0]["message"]["usage"] == usage(service_tier="priority")
    assert told[-2]["usage"] == final_usage(service_tier="priority")


def test_a_recorded_whole_answer(whole: Callable[[str], bytes], served: Served) -> None:
    """A message with a block for each part; cached tokens are counted apart from the others."""
    assert msgspec.json.decode(whole_of(presenter(), [whole("tools.json")], served)) == {
        "id": "msg_" + "ab" * 16,
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {
                "type": "tool_use",
                "id": "KlMzh2747xZCANUgaA480emkrUX41xBl",
                "name": "get_weather",
                "input": {"city": "Munich"},
            }
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": final_usage(),
    }


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "nonsense", None])
def test_a_call_without_a_whole_input(arguments: str | None, served: Served) -> None:
    """A model that was cut short in the middle of its arguments gives an empty input, not a broken message."""
    call = {"id": "t", "function": {"name": "f", "arguments": arguments}}
    answer = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "length"}]}
    told = msgspec.json.decode(whole_of(presenter(), [msgspec.json.encode(answer)], served))
    assert told["content"] == [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]


@given(st.lists(st.tuples(st.sampled_from(["content", "reasoning_content"]), st.text()), max_size=8))
def test_no_text_is_lost_or_changed(said: list[tuple[str, str]]) -> None:
    """Whatever an engine says, in whatever order, the deltas of each kind add up to it."""
    shown = presenter()
    frames = b"".join(frame_of(shown, 0, chunk({kind: words})) for kind, words in said)
    told = {"text_delta": "", "thinking_delta": "", "signature_delta": ""}
    for event in read(frames):
        if event["type"] == "content_block_delta":
            kind = event["delta"].pop("type")
            told[kind] += event["delta"].popitem()[1]
    assert told["text_delta"] == "".join(words for kind, words in said if kind == "content")
    assert told["thinking_delta"] == "".join(words for kind, words in said if kind == "reasoning_content")


@pytest.mark.parametrize("words", ['"text":"', '"}}\n\nevent: error\ndata: {}\n\n', '""', "\\", "\u2028\x00"])
def test_texts_that_look_like_syntax_are_left_alone(words: str) -> None:
    """No text is mistaken for an event around it, whether decoded or passed on."""
    shown = presenter()
    frame_of(shown, 0, chunk({"role": "assistant"}))
    for said in (words, "x", words):
        *_, event = read(frame_of(shown, 0, chunk({"content": said})))
        assert event["delta"] == {"type": "text_delta", "text": said}


def test_nonsense_from_an_engine(served: Served) -> None:
    """Before the first byte it may be retried, after it the stream breaks."""
    with pytest.raises(EngineUnavailable):
        whole_of(presenter(), [b"{}"], served)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.InvalidRequest("x"), "invalid_request_error"),
        (errors.Unauthenticated("x"), "authentication_error"),
        (errors.PermissionDenied("x"), "permission_error"),
        (NotFound("x"), "not_found_error"),
        (errors.MethodNotAllowed("x", allowed="POST"), "invalid_request_error"),
        (errors.PreconditionFailed("x"), "billing_error"),
        (errors.PayloadTooLarge("x"), "request_too_large"),
        (errors.LimitExceeded("x"), "rate_limit_error"),
        (errors.InternalError("x"), "api_error"),
        (errors.EngineUnavailable("x"), "api_error"),
        (Overloaded("x"), "overloaded_error"),
        (errors.EngineTimeout("x"), "timeout_error"),
    ],
)
def test_refusals_in_anthropics_envelope(error: ServeryError, kind: str) -> None:
    """Every status has its type, in a body and in a stream."""
    expected = {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": REQUEST_ID}
    assert msgspec.json.decode(error_body(error, REQUEST_ID)) == expected
    assert msgspec.json.decode(presenter().error(error)) == expected
    assert read(presenter().error_frame(error)) == [expected]


def test_usage_without_reasoning_has_no_details(served: Served) -> None:
    """Details are told where there is something to tell."""
    plain = changed(served, usage=Usage(3, 0, 2))
    *_, delta, _ = read(presenter().stream_end(plain))
    assert delta["usage"] == usage(input_tokens=3, output_tokens=2)
