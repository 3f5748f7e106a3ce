"""From an engine's bytes in Anthropic's form to the client's: by the reader and the presenter together, however they
come. What the engine generated reaches the client as it was written; nothing else of the engine's does."""

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.keeping_transport import KeepingTransport

from servery.core.errors import EngineBroke
from servery.core.http_chunk import content_of
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.core.write_turn import Outbox, WriteTurn
from servery.engines.asker import NOBODY
from servery.engines.engine_answer import EngineEvent
from servery.engines.message_reader import MessageStreamReader
from servery.engines.passage import Passage
from servery.engines.tally import Tally
from servery.engines.unreadable import UNREADABLE
from servery.web.anthropic.messages_presenter import MessagesPresenter

RECORDED = Path(__file__).parent / "recorded"
BROKEN = (EngineBroke, *UNREADABLE)


class _Client(KeepingTransport):
    """Has got what was passed on without being read."""

    def __init__(self, relay: "Relay") -> None:
        super().__init__()
        self._relay = relay

    def write(self, data: bytes | bytearray | memoryview) -> None:
        content = content_of(bytes(data))
        assert content is not None, "one chunk for each"
        self._relay.unread += 1
        self._relay.sent.append(content)


class _StandingLoop:
    """Its turn never ends by itself."""

    def time(self) -> float:
        return 0.0

    def call_soon(self, callback: Callable[[], None]) -> None:
        pass


def _one_turn() -> WriteTurn:
    turn = WriteTurn()
    turn._loop = cast(asyncio.AbstractEventLoop, _StandingLoop())
    return turn


class Relay:
    """What stands between an engine's connection and a client's. ``unread`` counts the events that were passed on
    without being read."""

    def __init__(self) -> None:
        presenter = MessagesPresenter("chatcmpl-" + "ab" * 16, "m", shows_thinking=True)
        presenter.admitted(ServingPath.STANDARD)
        self.sent: list[bytes] = []
        self.unread = 0
        self.tally = Tally(prompt_tokens_guess=0)
        self._show, self._frames = presenter.stream_frame, presenter.plain_frames(0)
        self._outbox = Outbox(_Client(self), _one_turn())
        self._reader = MessageStreamReader(
            sink=self, asker=NOBODY, tally=self.tally, max_event_bytes=100_000, served_model="e"
        )

    def take(self, event: bytes, read: EngineEvent | None) -> None:
        self.sent.append(self._show(0, event, read))

    def complete(self) -> None:
        """Nothing is held here."""

    def passage(self, tally: Tally) -> Passage | None:
        return Passage(self._frames, self._outbox, tally)

    def feed(self, *pieces: bytes) -> bytes:
        """What the client has got when these were the last."""
        for piece in pieces:
            is_complete = self._reader.feed(piece)
            self._outbox.flush()
            if is_complete:
                break
        return b"".join(self.sent)


def data_of(event: str, **more: object) -> bytes:
    return json.dumps({"type": event, **more}, separators=(",", ":")).encode()


def delta(text: bytes, *, kind: str = "text", index: int = 0) -> bytes:
    """``text`` is JSON as the engine writes it."""
    key = {"text": "text", "thinking": "thinking", "input_json": "partial_json"}[kind]
    return b'{"type":"content_block_delta","delta":{"type":"%b_delta","%b":%b},"index":%d}' % (
        *(kind.encode(), key.encode(), text, index),
    )


def framed(*events: bytes) -> list[bytes]:
    return [b"event: %b\ndata: %b\n\n" % (json.loads(event)["type"].encode(), event) for event in events]


START = data_of("message_start", message={"id": "e", "model": "e", "usage": {"input_tokens": 3}})
OPEN = data_of("content_block_start", index=0, content_block={"type": "text", "text": ""})
CLOSE = data_of("content_block_stop", index=0)
TEXTS = [
    rb'"Hel"',
    rb'"lo \u00e9\u20AC"',
    '"é€😀"'.encode(),
    rb'"\ud83d\ude00 \/ \" \\"',
    rb'"data: x\n\nevent: y"',
    rb'""',
]
SAID = [START, OPEN, *map(delta, TEXTS), CLOSE]
EXPECTED = Relay().feed(*framed(*SAID))


def test_generated_text_is_not_encoded_anew() -> None:
    """Escapes stay escapes, and what was not escaped stays so. Only the first event of a block is read."""
    relay = Relay()
    shown = relay.feed(*framed(*SAID))
    frames = [b'"delta":{"type":"text_delta","text":%b}}\n\n' % text for text in TEXTS]
    assert [shown.count(frame) for frame in frames] == [1] * len(TEXTS)
    assert relay.unread == relay.tally.frames - 1 == len(TEXTS) - 1


@pytest.mark.parametrize("kind", ["text", "thinking", "input_json"])
def test_each_kind_of_text_in_each_block(kind: str) -> None:
    """What was learned in one block is not taken for another's."""
    relay = Relay()
    events = [delta(rb'"%d\u00e9"' % number, kind=kind, index=number // 4) for number in range(12)]
    shown = relay.feed(*framed(START, *events))
    told = [json.loads(part.split(b"\ndata: ")[1]) for part in shown.split(b"\n\n")[1:-1]]
    assert [(one["index"], *list(one["delta"].values())[1:]) for one in told] == [
        (number // 4, f"{number}é") for number in range(12)
    ]
    assert (relay.unread, relay.tally.frames) == (9, 12)


def respaced(piece: bytes) -> bytes:
    return piece.replace(b',"index":', b' , "index" : ')


def name_behind(piece: bytes) -> bytes:
    return b"%b\n%b\n\n" % tuple(reversed(piece.split(b"\n")[:2]))


PIECES = framed(*SAID)
ODD = {
    "as ever": b"".join(PIECES),
    "CRLF": b"".join(PIECES).replace(b"\n", b"\r\n"),
    "comments": b": hello\n\n" + b": ping\n\n".join(PIECES) + b":\n\n",
    "comments inside": b"".join(piece.replace(b"\ndata", b"\n: ping\ndata") for piece in PIECES),
    "data in lines": b"".join(piece.replace(b',"', b',\ndata: "', 2) for piece in PIECES),
    "data without a space": b"".join(piece.replace(b"\ndata: ", b"\ndata:") for piece in PIECES),
    "data alone": b"".join(piece.split(b"\n", 1)[1] for piece in PIECES),
    "other fields": b"".join(b"id: 7\nretry: 9\n" + piece for piece in PIECES),
    "the name behind": b"".join(map(name_behind, PIECES)),
    "pings between": b'event: ping\ndata: {"type": "ping"}\n\n'.join(PIECES),
    "spaces": b"".join(map(respaced, PIECES)),
    "keys of its own": b"".join(piece.replace(b',"index":0}', b',"index":0,"logprob":-1}') for piece in PIECES),
}
"""The same said otherwise, as the format of event streams and JSON allow."""


@pytest.mark.parametrize("stream", ODD.values(), ids=ODD.keys())
def test_the_same_said_otherwise_is_shown_the_same(stream: bytes) -> None:
    """In one piece, byte by byte, and cut in two anywhere: to the byte, and as many tokens."""
    cuts = [[stream], [stream[at : at + 1] for at in range(len(stream))]]
    cuts += [[stream[:at], stream[at:]] for at in range(1, len(stream))]
    for pieces in cuts:
        relay = Relay()
        assert relay.feed(*pieces) == EXPECTED
        assert relay.tally.frames == len(TEXTS)


@pytest.mark.parametrize("name", ["vllm.sse", "vllm_tools.sse"])
def test_recorded_streams_are_the_same_however_cut(name: str) -> None:
    """And count the same."""
    stream = (RECORDED / name).read_bytes()
    whole = Relay()
    expected = whole.feed(stream)
    for at in range(1, len(stream)):
        relay = Relay()
        assert relay.feed(stream[:at], stream[at:]) == expected
        assert relay.tally.usage() == whole.tally.usage()
    events = [event + b"\n\n" for event in stream.split(b"\n\n")[:-1]]
    relay = Relay()
    assert relay.feed(*events) == expected
    assert relay.unread > 0


MALFORMED = {
    "an escape that is none": delta(rb'"\x"'),
    "a line break in a text": delta(b'"a\nb"').replace(b"\n", b"\x0a"),
    "half a character": delta(b'"\xff"'),
    "half a pair": delta(rb'"\ud83d"'),
    "no string": delta(b"7"),
    "two strings": delta(b'"a","b"'),
    "a string and more": delta(b'"a","text":null'),
    "a kind that does not fit": delta(b'"a"').replace(b"text_delta", b"thinking_delta"),
    "no index": delta(b'"a"').replace(b',"index":0', b""),
    "cut": delta(b'"a"')[:-1],
    "deep": b'{"type":"content_block_delta","delta":' + b"[" * 5_000,
    "two types": delta(b'"a"')[:-1] + b',"type":"message_stop"}',
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("learned", [True, False])
def test_an_event_that_is_none_breaks_the_stream(data: bytes, learned: bool) -> None:
    """Whether or not its like was seen before; nothing of it is shown, and it counts for nothing."""
    relay = Relay()
    before = [START, *([delta(b'"a"'), delta(b'"b"')] if learned else [])]
    shown = relay.feed(*framed(*before))
    with pytest.raises(BROKEN):
        relay.feed(b"event: content_block_delta\ndata: " + data + b"\n\n")
    assert b"".join(relay.sent) == shown
    assert relay.tally.frames == (2 if learned else 0)


def test_an_end_or_an_error_is_not_taken_for_text() -> None:
    """Though it comes with an event in one piece; what follows the end is not looked at."""
    relay = Relay()
    stop = data_of("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 3, "output_tokens": 3})
    last = b"".join(framed(delta(b'"c"'), stop, data_of("message_stop"), delta(b'"d"')))
    shown = relay.feed(*framed(START, delta(b'"a"'), delta(b'"b"')), last)
    assert [text in shown for text in (b'"c"', b'"d"')] == [True, False]
    assert relay.tally.usage() == Usage(3, 0, 3)
    relay = Relay()
    failed = data_of("error", error={"type": "x", "message": "secret"})
    with pytest.raises(EngineBroke):
        relay.feed(*framed(START, delta(b'"a"')), b"".join(framed(delta(b'"b"'), failed)))
    assert b"secret" not in b"".join(relay.sent)


@given(
    texts=st.lists(st.tuples(st.text(max_size=12), st.booleans()), max_size=8),
    ends=st.lists(st.integers(0, 1_200), max_size=6),
)
def test_any_text_however_cut(texts: list[tuple[str, bool]], ends: list[int]) -> None:
    """The client reads what was generated, written as the engine wrote it, and one token is counted for each event."""
    written = [
        json.dumps(text).encode() if is_ascii else msgspec.json.encode(text.encode("utf-8", "replace").decode())
        for text, is_ascii in texts
    ]
    stream = b"".join(framed(START, *map(delta, written)))
    places = sorted({min(end, len(stream)) for end in ends} | {0, len(stream)})
    relay = Relay()
    try:
        shown = relay.feed(*(stream[start:end] for start, end in pairwise(places)))
    except BROKEN:
        assert any("\ud800" <= character <= "\udfff" for text, _ in texts for character in text)
        return
    told = [part.split(b'"text":')[1].removesuffix(b"}}") for part in shown.split(b"\n\n")[1:-1]]
    assert told == written
    assert relay.tally.frames == len(texts)
