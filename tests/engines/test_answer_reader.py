"""What is made of an answer: of whole ones whose engine does not count, and of the events of streams."""

import msgspec
import pytest

from servery.core.errors import EngineBroke, InvalidRequest
from servery.engines.answer_reader import StreamReader, WholeReader
from servery.engines.asker import NOBODY
from servery.engines.engine_answer import EngineEvent
from servery.engines.passage import Passage
from servery.engines.plain_answers import PlainAnswers
from servery.engines.tally import Tally
from servery.engines.unreadable import UNREADABLE


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        ({"content": "twelve bytes"}, 3),
        ({"content": "twelve bytes", "tool_calls": None}, 3),
        ({"content": "двенад"}, 3),
        ({"content": "four", "reasoning_content": "twelve bytes"}, 4),
        ({"content": "four", "reasoning": "twelve bytes"}, 4),
        ({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}, 11),
    ],
)
def test_tokens_are_counted_by_length(message: object, tokens: int) -> None:
    """Of the text, of what was thought, and of the calls, four bytes each."""
    tally = Tally(prompt_tokens_guess=1)
    reader = WholeReader(tally=tally, max_body_bytes=1_000, plain=PlainAnswers())
    reader.feed(msgspec.json.encode({"choices": [{"message": message, "finish_reason": "stop"}]}))
    reader.end()
    assert tally.usage().generated_tokens == tokens


class _Shown:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[tuple[bytes, EngineEvent | None]] = []
        self.is_complete = False

    def take(self, event: bytes, read: EngineEvent | None) -> None:
        self.events.append((event, read))

    def complete(self) -> None:
        self.is_complete = True

    def passage(self, tally: Tally) -> Passage | None:
        return None


def stream(shown: _Shown, tally: Tally) -> StreamReader:
    return StreamReader(sink=shown, asker=NOBODY, tally=tally, max_event_bytes=10_000, served_model="m")


@pytest.mark.parametrize("event", [b"{", b"[]", b'{"choices":5}', b'{"choices":[{"delta":"x"}]}', b'"\xff"'])
def test_nonsense_breaks_the_stream(event: bytes) -> None:
    """An event that cannot be read shows nothing."""
    shown = _Shown()
    with pytest.raises(UNREADABLE):
        stream(shown, Tally(prompt_tokens_guess=1)).feed(b"data: %b\n\n" % event)
    assert not shown.events


def test_an_error_breaks_the_stream_wherever_it_stands() -> None:
    """Before the first token it is the refusal that it says it is, later a broken answer."""
    error = b'data: {"choices":[],"error":{"code":400,"message":"no"}}\n\n'
    shown = _Shown()
    reader = stream(shown, Tally(prompt_tokens_guess=1))
    with pytest.raises(InvalidRequest, match="no"):
        reader.feed(error)
    reader.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    with pytest.raises(EngineBroke, match="no"):
        reader.feed(error)
    assert len(shown.events) == 1


@pytest.mark.parametrize(
    ("delta", "tokens"),
    [
        ({"role": "assistant"}, 0),
        ({"role": "assistant", "content": None}, 0),
        ({"role": "assistant", "content": ""}, 0),
        ({"role": "assistant", "content": "a"}, 1),
        ({"role": "assistant", "content": None, "reasoning_content": "a"}, 1),
        ({"role": "assistant", "content": "", "reasoning": "a"}, 1),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, 1),
        ({"content": ""}, 1),
        ({}, 1),
    ],
)
def test_a_role_alone_is_no_token(delta: object, tokens: int) -> None:
    """Beside a text, a thought or a call it is; and any event without a role."""
    tally = Tally(prompt_tokens_guess=1)
    stream(_Shown(), tally).feed(b"data: %b\n\n" % msgspec.json.encode({"choices": [{"delta": delta}]}))
    assert tally.frames == tokens


def test_what_is_read_is_handed_on() -> None:
    """Nobody reads an event again; of usage beside a choice, the client's part alone is handed on as bytes."""
    shown, tally = _Shown(), Tally(prompt_tokens_guess=1)
    told = {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}
    stream(shown, tally).feed(b"data: null\n\ndata: %b\n\n" % msgspec.json.encode(told))
    ((event, read),) = shown.events
    assert b"usage" not in event
    assert read is not None
    assert read.choices == msgspec.json.decode(event, type=EngineEvent).choices
    assert tally.usage().prompt_tokens == 7


def test_who_shows_a_stream_hears_of_its_end() -> None:
    """Once all that the engine said has been handed on."""
    shown = _Shown()
    reader = stream(shown, Tally(prompt_tokens_guess=1))
    assert not reader.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    assert not shown.is_complete
    assert reader.feed(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    assert shown.is_complete
    assert len(shown.events) == 2
