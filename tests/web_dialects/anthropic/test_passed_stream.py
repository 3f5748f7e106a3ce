"""Messages as Anthropic's clients see them, from an engine that speaks Anthropic's form: what a vLLM 0.32 sent."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.web_dialects.shown import whole_of

from servery.core.errors import EngineBroke, EngineUnavailable
from servery.core.serving_path import ServingPath
from servery.serving.served import Served
from servery.web.anthropic.messages_presenter import MessagesPresenter

REQUEST_ID = "chatcmpl-" + "ab" * 16
Events = Callable[[str], list[bytes]]
USAGE = {"input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 20, "output_tokens": 6}
CHARGED = {**USAGE, "service_tier": "standard", "output_tokens_details": {"thinking_tokens": 2}}


def presenter() -> MessagesPresenter:
    shown = MessagesPresenter(REQUEST_ID, "the-clients-model", shows_thinking=True)
    shown.admitted(ServingPath.STANDARD)
    return shown


def read(frames: bytes) -> list[Any]:
    """The events' data; each event's name is its type."""
    told = []
    for part in frames.split(b"\n\n")[:-1]:
        name, data = part.split(b"\n")
        told.append(msgspec.json.decode(data.removeprefix(b"data: ")))
        assert name == b"event: " + told[-1]["type"].encode()
    return told


def played(events: list[bytes], served: Served) -> list[Any]:
    shown = presenter()
    return read(b"".join(shown.stream_frame(0, event, None) for event in events) + shown.stream_end(served))


def of_recorded(events: Events, name: str) -> list[bytes]:
    """As the reader passes them on: without the end."""
    return [event for event in events(name) if b'"message_stop"' not in event]


@pytest.mark.parametrize("name", ["vllm.sse", "vllm_tools.sse"])
def test_a_recorded_stream(events: Events, served: Served, name: str) -> None:
    """The blocks as the engine sent them, between a start with our id and an end with what is charged."""
    sent = [msgspec.json.decode(event) for event in of_recorded(events, name)]
    start, *blocks, delta, stop = played(of_recorded(events, name), served)
    assert blocks == sent[1:-1]
    assert (start["message"]["id"], start["message"]["model"]) == ("msg_" + "ab" * 16, "the-clients-model")
    assert start["message"]["usage"]["input_tokens"] == 0
    assert delta == {"type": "message_delta", "delta": sent[-1]["delta"], "usage": CHARGED}
    assert stop == {"type": "message_stop"}


def test_the_end_is_held_back(events: Events) -> None:
    """Until the charge is known: the engine's own last event shows nothing."""
    shown, recorded = presenter(), of_recorded(events, "vllm.sse")
    frames = [shown.stream_frame(0, event, None) for event in recorded]
    assert all(frames[:-1])
    assert frames[-1] == b""


def test_nothing_of_the_engines_is_shown(served: Served) -> None:
    """Keys that Anthropic's API does not know are left out, wherever they stand."""
    private = {"token_ids": [1], "secret": "engine"}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", **private}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a", **private}}
    end = {"type": "message_delta", "delta": {"stop_reason": "secret", "stop_sequence": "x", **private}, **private}
    sent = [
        {"type": "message_start", "message": {"id": "engine", **private}, **private},
        {**block, **private},
        delta,
        end,
    ]
    told = played([json.dumps(event).encode() for event in sent], served)
    assert "engine" not in json.dumps(told)
    assert "token_ids" not in json.dumps(told)
    assert told[2] == {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    assert told[3]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


def test_a_stream_that_says_nothing_has_a_start_all_the_same(served: Served) -> None:
    """As clients expect of any message."""
    end = b'{"type":"message_delta","delta":{"stop_reason":"end_turn"}}'
    assert [event["type"] for event in played([end], served)] == ["message_start", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    "event",
    [
        b'{"type":"content_block_delta","index":0}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}',
        b'{"type":"content_block_delta","index":"0","delta":{"type":"text_delta","text":""}}',
        b'{"type":"content_block_start","index":0,"content_block":{"type":"document"}}',
        b'{"type":"message_delta"}',
    ],
)
def test_an_event_that_cannot_be_read_breaks_the_stream(event: bytes) -> None:
    """Before anything of it is shown."""
    with pytest.raises(EngineBroke):
        presenter().stream_frame(0, event, None)


def test_a_recorded_message(whole: Callable[[str], bytes], served: Served) -> None:
    """Whole: the engine's blocks and reason, our id, the client's model, the usage that is charged."""
    assert msgspec.json.decode(whole_of(presenter(), [whole("vllm.json")], served)) == {
        "id": "msg_" + "ab" * 16,
        "type": "message",
        "role": "assistant",
        "model": "the-clients-model",
        "content": [{"type": "text", "text": "eV:0C"}],
        "stop_reason": "max_tokens",
        "stop_sequence": None,
        "usage": CHARGED,
    }


def test_all_kinds_of_blocks_of_a_message(served: Served) -> None:
    """Thinking keeps its signature, a tool its input, a stop sequence its name."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "paint", "input": {"c": [1.5, None]}},
    ]
    sent = {"type": "message", "content": content, "stop_reason": "stop_sequence", "stop_sequence": "END"}
    told = msgspec.json.decode(whole_of(presenter(), [json.dumps(sent).encode()], served))
    assert (told["content"], told["stop_reason"], told["stop_sequence"]) == (content, "stop_sequence", "END")


@pytest.mark.parametrize(
    "answer", [b'{"type":"message"}', b'{"type":"error","error":{}}', b'{"type":"message","content":[{"type":"x"}]}']
)
def test_a_message_that_cannot_be_read_is_none(answer: bytes, served: Served) -> None:
    """It costs nothing, and another engine may do better."""
    with pytest.raises(EngineUnavailable):
        whole_of(presenter(), [answer], served)
