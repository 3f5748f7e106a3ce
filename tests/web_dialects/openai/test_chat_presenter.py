"""Chat answers as clients see them, from what a real engine sent."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.web_dialects.parsers import parse_chat
from tests.web_dialects.shown import frame_of, whole_of

from servery.core.errors import EngineUnavailable, Overloaded
from servery.core.serving_path import ServingPath
from servery.core.value import changed
from servery.serving.served import Served
from servery.web.openai.answers import ChunkChoice, Delta
from servery.web.presenter import Presenter

REQUEST_ID = "chatcmpl-" + "ab" * 16
MODEL = "accounts/servery/models/demo"
Events = Callable[[str], list[bytes]]


def presenter(path: ServingPath = ServingPath.STANDARD, **fields: Any) -> Presenter:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **fields}
    shown = parse_chat(msgspec.json.encode(body), {}, REQUEST_ID).presenter
    shown.admitted(path)
    return shown


def chunk(choice: str, **other: Any) -> bytes:
    """An engine's event with ``choice`` (the JSON inside the braces)."""
    rest = "".join(f",{msgspec.json.encode(name).decode()}:{value}" for name, value in other.items())
    return (
        f'{{"choices":[{{{choice}}}],"created":1795200898,"id":"chatcmpl-engine","model":"e.gguf",'
        f'"system_fingerprint":"b0","object":"chat.completion.chunk"{rest}}}'
    ).encode()


def text(content: object, **other: Any) -> bytes:
    encoded = msgspec.json.encode(content).decode()
    return chunk(f'"finish_reason":null,"index":0,"delta":{{"content":{encoded}}}', **other)


ROLE = chunk('"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}')


def read(frames: bytes) -> list[Any]:
    parts = frames.split(b"\n\n")
    assert parts.pop() == b""
    assert all(part.startswith(b"data: ") and b"\n" not in part for part in parts)
    return [part if part == b"data: [DONE]" else msgspec.json.decode(part[6:]) for part in parts]


def played(shown: Presenter, events: list[bytes], served: Served) -> list[Any]:
    return read(b"".join(frame_of(shown, 0, event) for event in events) + shown.stream_end(served))


def test_a_recorded_stream(events: Events, served: Served) -> None:
    """Each chunk is the client's: its ids, its tier, its schema's keys, and usage once, before the terminator."""
    *chunks, last, done = played(presenter(), events("chat.sse"), served)
    assert done == b"data: [DONE]"
    assert [part["choices"][0]["delta"] for part in chunks] == [
        {"role": "assistant", "content": ""},
        *({"content": content} for content in ["I", " am", " the", " Servery", " demo", " model"]),
        {},
    ]
    assert [part["choices"][0]["finish_reason"] for part in chunks] == [None] * 7 + ["length"]
    common = {
        "id": REQUEST_ID,
        "object": "chat.completion.chunk",
        "created": 1795202611,
        "model": MODEL,
        "service_tier": "default",
    }
    for part in chunks:
        assert part == {**common, "choices": part["choices"]}
        assert part["choices"][0].keys() == {"index", "delta", "finish_reason"}
    assert last == {
        **common,
        "choices": [],
        "usage": {
            "prompt_tokens": 21,
            "completion_tokens": 6,
            "total_tokens": 27,
            "prompt_tokens_details": {"cached_tokens": 20},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


def test_usage_can_be_declined_and_metrics_asked_for(served: Served) -> None:
    """``include_usage: false`` leaves the terminator alone; performance metrics come with usage, on demand."""
    declined = presenter(stream=True, stream_options={"include_usage": False})
    assert declined.stream_end(served) == b"data: [DONE]\n\n"
    last, _ = read(presenter(stream=True, perf_metrics_in_response=True).stream_end(served))
    assert last["perf_metrics"]["server-time-to-first-token"] == 0.012346
    assert "server-tokens-per-second" not in last["perf_metrics"], "nothing is known of its speed"
    report = changed(served.report, tokens_per_s=123.4567)
    fast = changed(served, report=report)
    last, _ = read(presenter(stream=True, perf_metrics_in_response=True).stream_end(fast))
    assert last["perf_metrics"]["server-tokens-per-second"] == 123.457


def test_the_tier_is_that_of_the_path_served() -> None:
    """A request that asked for Priority and is served on Standard is not told otherwise, and the other way round."""
    asked = presenter(ServingPath.STANDARD, service_tier="priority")
    priority, fast = presenter(ServingPath.PRIORITY), presenter(ServingPath.FAST)
    tiers = [read(frame_of(shown, 0, ROLE))[0]["service_tier"] for shown in (asked, priority, fast)]
    assert tiers == ["default", "priority", "default"]


@pytest.mark.parametrize(
    "content",
    [
        '"id":"chatcmpl-engine"',
        '{"id":"chatcmpl-engine","model":"e.gguf","system_fingerprint":"b0"}',
        '"}}],"created":1795200898,"id":"chatcmpl-engine","model":"e.gguf"',
        '"content":"x"',
        '\\"',
        "\n\ndata: [DONE]\n\n",
        "\u2028\u0000\U0001f600",
        "",
    ],
)
def test_texts_that_look_like_syntax_are_left_alone(content: str) -> None:
    """No text is mistaken for the frame around it, whether the frame is decoded or passed on."""
    shown = presenter()
    for event in (ROLE, text(content), text(content), text("x"), text(content)):
        (told,) = read(frame_of(shown, 0, event))
        assert told["choices"][0]["delta"].get("content") in ("", "x", content)
        assert (told["id"], told["model"]) == (REQUEST_ID, MODEL)
    assert told["choices"][0]["delta"] == {"content": content}


def test_an_engines_private_keys_are_dropped() -> None:
    """Timings, progress, debug output, and whatever else an engine adds, at any place, is not shown."""
    shown = presenter()
    frame_of(shown, 0, ROLE)
    learned = text("a")
    private = [
        text("b", timings='{"prompt_n":1}'),
        text("b", __verbose='{"prompt":"secret"}'),
        chunk('"index":0,"delta":{"content":"b","private":"secret"},"token_ids":[7],"finish_reason":null'),
        learned.replace(b'"delta":', b'"private":"secret","delta":').replace(b'"a"', b'"b"'),
    ]
    for event in private:
        frame_of(shown, 0, learned)
        told = frame_of(shown, 0, event)
        assert b"secret" not in told
        assert b"timings" not in told
        assert read(told)[0]["choices"] == [{"index": 0, "delta": {"content": "b"}, "finish_reason": None}]


def test_branches_have_their_own_index_and_role() -> None:
    """Each choice of several begins with a role and carries its number; all share id and time."""
    shown = presenter(n=3)
    frames = [frame_of(shown, branch, event) for event in (ROLE, text("a"), text("b")) for branch in range(3)]
    choices = [part["choices"][0] for frame in frames for part in read(frame)]
    assert [choice["index"] for choice in choices] == [0, 1, 2] * 3
    assert [choice["delta"] for choice in choices[:3]] == [{"role": "assistant", "content": ""}] * 3
    assert [choice["delta"] for choice in choices[-3:]] == [{"content": "b"}] * 3


def test_an_engine_that_does_not_say_the_role() -> None:
    """The first chunk of a choice carries the role, whatever it brings."""
    shown = presenter()
    assert read(frame_of(shown, 0, text("a")))[0]["choices"][0]["delta"] == {"role": "assistant", "content": "a"}
    assert read(frame_of(shown, 0, text("b")))[0]["choices"][0]["delta"] == {"content": "b"}


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_has_one_name(key: str) -> None:
    """Engines call it differently; clients see ``reasoning_content``, also where frames are passed on."""
    shown = presenter()
    events = [chunk(f'"index":0,"delta":{{"{key}":"{word}"}},"finish_reason":null') for word in "abc"]
    told = [read(frame_of(shown, 0, event))[0]["choices"][0]["delta"] for event in [ROLE, *events, text("x")]]
    assert told[1:] == [*({"reasoning_content": word} for word in "abc"), {"content": "x"}]


def test_time_stands_still_in_a_stream() -> None:
    """An engine that tells another second in later events does not change ``created``."""
    shown = presenter()
    later = text("b").replace(b"1795200898", b"1795200899")
    told = [read(frame_of(shown, 0, event))[0]["created"] for event in (ROLE, text("a"), later, later)]
    assert told == [1795200898] * 4


def test_events_that_say_nothing() -> None:
    """``null`` and events without choices send nothing."""
    shown = presenter()
    assert frame_of(shown, 0, b"null") == b""
    assert (
        frame_of(shown, 0, b'{"choices":[],"created":1,"id":"x","model":"m","object":"chat.completion.chunk"}') == b""
    )


def test_frames_are_whole_answers_of_their_own() -> None:
    """What is around a stream's choices is encoded once: each frame is what encoding all of it would be, whatever the
    names hold, and once the engine tells of its time."""
    name = 'm"choices":[],\\'
    shown = presenter(model=name)
    frames = [
        frame_of(shown, 0, event) for event in (b'{"choices":[{"delta":{"content":"a"}}]}', ROLE, text("b"), text("c"))
    ]
    said = [("a", "assistant", 0), ("", None, 1795200898), ("b", None, 1795200898), ("c", None, 1795200898)]
    for frame, (content, role, created) in zip(frames, said, strict=True):
        delta = Delta(content=content) if content else Delta()
        if role:
            delta.role = role
        choice = ChunkChoice(0, delta, None)
        answer = {
            "id": REQUEST_ID,
            "object": "chat.completion.chunk",
            "created": created,
            "model": name,
            "choices": [choice],
            "service_tier": "default",
        }
        assert frame == b"data: " + msgspec.json.encode(answer) + b"\n\n"


def test_a_whole_answer_is_json_whatever_the_names_hold(whole: Callable[[str], bytes], served: Served) -> None:
    """What is around its choices is written out, byte for byte as encoding all of it would be."""
    name = 'm"choices":[],\\'
    told = whole_of(presenter(model=name, perf_metrics_in_response=True), [whole("tools.json")], served)
    answer = msgspec.json.decode(told)
    assert msgspec.json.encode(answer) == told
    assert list(answer) == ["id", "object", "created", "model", "choices", "service_tier", "usage", "perf_metrics"]
    assert answer["model"] == name


def test_a_recorded_tool_call_in_fragments(events: Events, served: Served) -> None:
    """The first fragment names the call, the others add to its arguments."""
    chunks = played(presenter(), events("tools.sse"), served)[:-2]
    fragments = [call for part in chunks for call in part["choices"][0]["delta"].get("tool_calls", [])]
    assert fragments[0] == {
        "index": 0,
        "id": "MEpghJxmyfUsIvJCnPfVVu3fpQ0gTdNM",
        "type": "function",
        "function": {"name": "get_weather", "arguments": "{"},
    }
    assert all(fragment.keys() == {"index", "function"} for fragment in fragments[1:])
    assert "".join(fragment["function"]["arguments"] for fragment in fragments) == '{"city": "Munich"}'
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_functions_are_answered_in_their_own_words(
    events: Events, whole: Callable[[str], bytes], served: Served
) -> None:
    """Who asked with ``functions`` gets ``function_call``, streamed or whole."""
    shown = presenter(functions=[{"name": "get_weather"}])
    chunks = played(shown, events("tools.sse"), served)[:-2]
    fragments = [part["choices"][0]["delta"].get("function_call") for part in chunks]
    assert fragments[1] == {"name": "get_weather", "arguments": "{"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"
    choice = msgspec.json.decode(whole_of(shown, [whole("tools.json")], served))["choices"][0]
    assert choice["message"]["function_call"] == {"name": "get_weather", "arguments": '{"city": "Munich"}'}
    assert choice["finish_reason"] == "function_call"


def test_a_second_call_does_not_run_into_the_first() -> None:
    """The older spelling knows a single call; an engine's second one is left out, not mixed in."""
    shown = presenter(functions=[{"name": "f"}])
    second = chunk('"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"x"}}]},"finish_reason":null')
    frame_of(shown, 0, ROLE)
    assert read(frame_of(shown, 0, second))[0]["choices"][0]["delta"] == {}


def test_a_recorded_whole_answer(whole: Callable[[str], bytes], served: Served) -> None:
    """Choices are numbered by branch; usage is the charge's; the engine's own keys are gone."""
    shown = presenter(ServingPath.PRIORITY, n=2)
    answers = [whole("tools.json"), whole("chat_logprobs.json")]
    told = msgspec.json.decode(whole_of(shown, answers, changed(served, path=ServingPath.PRIORITY)))
    assert told == {
        "id": REQUEST_ID,
        "object": "chat.completion",
        "created": 1795202611,
        "model": MODEL,
        "service_tier": "priority",
        "usage": told["usage"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "logprobs": None,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [
                        {
                            "id": "KlMzh2747xZCANUgaA480emkrUX41xBl",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Munich"}'},
                        }
                    ],
                },
            },
            {
                "index": 1,
                "finish_reason": "length",
                "logprobs": None,
                "message": {"role": "assistant", "content": "I am the Servery demo model", "refusal": None},
            },
        ],
    }
    assert told["usage"]["total_tokens"] == 27


@pytest.mark.parametrize("answer", [b"", b"null", b"{}", b'{"choices":[]}', b'{"choices":[{"message":7}]}', b"\xff"])
def test_nonsense_in_place_of_an_answer(answer: bytes, served: Served) -> None:
    """A whole answer that cannot be read is a failure before the first byte, which may be retried."""
    with pytest.raises(EngineUnavailable):
        whole_of(presenter(), [answer], served)


@pytest.mark.parametrize(
    ("told", "shown"), [("stop", "stop"), ("eos", "stop"), ("length", "length"), ("abort", "stop")]
)
def test_reasons_outside_the_schema(told: str, shown: str) -> None:
    """A finish reason is one of OpenAI's."""
    event = chunk(f'"index":0,"delta":{{}},"finish_reason":"{told}"')
    assert read(frame_of(presenter(), 0, event))[0]["choices"][0]["finish_reason"] == shown


def test_log_probabilities_as_openai_shows_them(events: Events, whole: Callable[[str], bytes], served: Served) -> None:
    """With ``logprobs: true``, streamed and whole alike: content entries with offsets, in the published names."""
    shown = presenter(logprobs=True, top_logprobs=1)
    chunks = played(shown, events("chat_logprobs.sse"), served)[:-2]
    streamed = [part["choices"][0]["logprobs"] for part in chunks]
    assert streamed[0] is streamed[-1] is None
    entries = list(itertools.chain.from_iterable(part["content"] for part in streamed if part))
    assert [(entry["token"], entry["text_offset"]) for entry in entries] == [("I", 0), (" am", 1), (" the", 4)]
    assert entries[1] == {
        "token": " am",
        "logprob": -0.0559687539935112,
        "bytes": [32, 97, 109],
        "token_id": 390,
        "text_offset": 1,
        "top_logprobs": [{"token": " am", "logprob": -0.0559687539935112, "bytes": [32, 97, 109], "token_id": 390}],
    }
    at_once = msgspec.json.decode(
        whole_of(presenter(logprobs=True, top_logprobs=1), [whole("chat_logprobs.json")], served)
    )
    assert at_once["choices"][0]["logprobs"]["content"][:3] == entries


def test_log_probabilities_that_an_engine_leaves_out() -> None:
    """Who asked for them finds null in a chunk without, and the next chunk's own after it."""
    shown = presenter(logprobs=True)
    entry = '"logprobs":{"content":[{"token":"b","logprob":-1.0}]}'
    with_them = chunk(f'"finish_reason":null,"index":0,"delta":{{"content":"b"}},{entry}')
    told = [read(frame_of(shown, 0, event))[0] for event in (ROLE, text("a"), text("a"), with_them)]
    assert [part["choices"][0]["logprobs"] is None for part in told] == [True, True, True, False]


def test_log_probabilities_in_the_legacy_form(whole: Callable[[str], bytes], served: Served) -> None:
    """With a number: parallel lists."""
    told = msgspec.json.decode(whole_of(presenter(logprobs=2), [whole("chat_logprobs.json")], served))
    shown = told["choices"][0]["logprobs"]
    assert shown.keys() == {"tokens", "token_logprobs", "top_logprobs", "text_offset", "token_ids"}
    assert shown["tokens"] == ["I", " am", " the", " Servery", " demo", " model"]
    assert shown["text_offset"] == [0, 1, 4, 8, 16, 21]
    assert {len(shown[key]) for key in shown} == {6}
    assert all(len(alternatives) == 2 for alternatives in shown["top_logprobs"])


def test_errors_carry_the_requests_id() -> None:
    """Refusals and broken streams name the request."""
    error = Overloaded("service overloaded, please try again later")
    assert msgspec.json.decode(presenter().error(error))["request_id"] == REQUEST_ID
    (frame,) = read(presenter().error_frame(error))
    assert frame["error"]["message"] == error.message
