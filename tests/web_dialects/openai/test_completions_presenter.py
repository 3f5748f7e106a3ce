"""Completions as clients see them, from what a real engine sent."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.web_dialects.parsers import parse_completions
from tests.web_dialects.shown import frame_of, whole_of

from servery.core.errors import EngineUnavailable
from servery.core.serving_path import ServingPath
from servery.serving.served import Served
from servery.web.presenter import Presenter

REQUEST_ID = "chatcmpl-" + "ab" * 16
Events = Callable[[str], list[bytes]]


def presenter(**fields: Any) -> Presenter:
    shown = parse_completions(msgspec.json.encode({"model": "m", "prompt": "hi", **fields}), {}, REQUEST_ID).presenter
    shown.admitted(ServingPath.STANDARD)
    return shown


def read(frames: bytes) -> list[Any]:
    return [msgspec.json.decode(part[6:]) for part in frames.split(b"\n\n") if part not in (b"", b"data: [DONE]")]


@pytest.mark.parametrize("name", ["completion.sse", "completion_null.sse"])
def test_a_recorded_stream(name: str, events: Events, served: Served) -> None:
    """Every event becomes a chunk in the client's words; ``null`` becomes nothing; usage comes last."""
    shown = presenter()
    frames = b"".join(frame_of(shown, 0, event) for event in events(name)) + shown.stream_end(served)
    assert frames.endswith(b"data: [DONE]\n\n")
    *chunks, last = read(frames)
    for part in chunks:
        assert part.keys() == {"id", "object", "created", "model", "choices", "service_tier"}
        assert (part["id"], part["object"], part["model"]) == (REQUEST_ID, "text_completion", "m")
        assert part["choices"][0].keys() == {"index", "text", "finish_reason", "logprobs"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 6


def test_a_recorded_text(events: Events) -> None:
    """The pieces make up the text that the engine wrote."""
    shown = presenter()
    pieces = [read(frame_of(shown, 0, event))[0]["choices"][0]["text"] for event in events("completion.sse")]
    assert "".join(pieces) == " the is Vatic"


def test_branches_have_their_own_index(events: Events) -> None:
    """Prompts times ``n`` are numbered through, whatever index the engine says."""
    shown = presenter(prompt=["a", "b"], n=2)
    told = [read(frame_of(shown, branch, event)) for event in events("completion.sse") for branch in range(4)]
    assert [part["choices"][0]["index"] for parts in told for part in parts] == [0, 1, 2, 3] * 5


def test_log_probabilities_in_the_legacy_form(whole: Callable[[str], bytes], served: Served) -> None:
    """llama.cpp answers in the chat form; a completion's client reads parallel lists."""
    told = msgspec.json.decode(whole_of(presenter(logprobs=1), [whole("completion_logprobs.json")], served))
    assert told["object"] == "text_completion"
    (choice,) = told["choices"]
    assert choice["logprobs"] == {
        "tokens": [" the", " is", " V", "atic"],
        "token_logprobs": [-2.9375221729278564, -1.1696586608886719, -2.961921453475952, -1.6791645288467407],
        "top_logprobs": [
            {" the": -2.9375221729278564},
            {" is": -1.1696586608886719},
            {" V": -2.961921453475952},
            {"atic": -1.6791645288467407},
        ],
        "text_offset": [0, 4, 7, 9],
        "token_ids": [288, 313, 814, 2272],
    }


def test_log_probabilities_in_a_stream() -> None:
    """Offsets go on from event to event, also after one without log probabilities."""
    shown = presenter(logprobs=0)
    entry = {"content": [{"token": "ab", "bytes": [97, 98], "logprob": -1.0}]}
    events = [{"choices": [{"text": "ab", "logprobs": told}]} for told in (entry, None, None, entry)]
    told = [read(frame_of(shown, 0, msgspec.json.encode(event)))[0]["choices"][0]["logprobs"] for event in events]
    assert [part and part["text_offset"] for part in told] == [[0], None, None, [2]]


def test_log_probabilities_of_an_engine_in_the_legacy_form(served: Served) -> None:
    """vLLM answers completions in the legacy form; both forms can be made of it."""
    engine = {
        "tokens": ["a", "\u00e9"], "token_logprobs": [None, -0.5], "top_logprobs": [None, {"b": -0.1}],
        "text_offset": [0, 1],
    }  # fmt: skip
    answer = msgspec.json.encode({"choices": [{"index": 0, "text": "a\u00e9", "logprobs": engine}], "created": 1})
    legacy, content = (
        msgspec.json.decode(whole_of(presenter(**asked), [answer], served))["choices"][0]["logprobs"]
        for asked in ({"logprobs": 1}, {"logprobs": True, "top_logprobs": 1})
    )
    assert legacy == {
        "tokens": ["a", "\u00e9"], "token_logprobs": [None, -0.5], "top_logprobs": [None, {"b": -0.1, "\u00e9": -0.5}],
        "text_offset": [0, 1],
    }  # fmt: skip
    assert [(entry["token"], entry["logprob"], entry["bytes"]) for entry in content["content"]] == [
        ("a", -9999.0, [97]),
        ("\u00e9", -0.5, [195, 169]),
    ]


def test_offsets_count_characters_of_split_ones(served: Served) -> None:
    """A character that is cut into two tokens counts once."""
    tokens = [
        {"id": 1, "token": "\ufffd", "bytes": [0xC3], "logprob": -1.0, "top_logprobs": []},
        {"id": 2, "token": "\ufffd", "bytes": [0xA9], "logprob": -1.0, "top_logprobs": []},
        {"id": 3, "token": "x", "bytes": [0x78], "logprob": -1.0, "top_logprobs": []},
    ]
    answer = msgspec.json.encode({"choices": [{"text": "\u00e9x", "logprobs": {"content": tokens}}]})
    told = msgspec.json.decode(whole_of(presenter(logprobs=0), [answer], served))
    assert told["choices"][0]["logprobs"]["text_offset"] == [0, 1, 1]


def test_several_answers_in_order(whole: Callable[[str], bytes], served: Served) -> None:
    """A whole answer lists the choices by branch."""
    told = msgspec.json.decode(whole_of(presenter(n=3), [whole("completion_logprobs.json")] * 3, served))
    assert [choice["index"] for choice in told["choices"]] == [0, 1, 2]
    assert all(choice["logprobs"] is None for choice in told["choices"])


def test_nonsense_from_an_engine(served: Served) -> None:
    """Before the first byte it may be retried, after it the stream breaks."""
    with pytest.raises(EngineUnavailable):
        whole_of(presenter(), [b"{}"], served)
