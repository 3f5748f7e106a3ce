"""The short way from an engine's chunk to a client's connection: what it takes, it says as reading would; what it does
not take, it leaves untouched."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.keeping_transport import KeepingTransport

from servery.core.http_chunk import content_of, size_line
from servery.core.write_turn import Outbox, WriteTurn
from servery.engines.passage import Passage
from servery.engines.plain_frames import PlainFrame, PlainFrames
from servery.engines.tally import Tally


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def event(text: bytes) -> bytes:
    return b'data: {"t":%b}\n\n' % text


class Way:
    def __init__(self) -> None:
        self.client, self.turn, self.tally = KeepingTransport(), WriteTurn(), Tally(prompt_tokens_guess=0)
        frames = PlainFrames()
        frames.learn(PlainFrame(b'{"t":"', b'"}', b"<", b">"))
        self.passage = Passage(frames, Outbox(self.client, self.turn), self.tally)


async def test_tokens_of_a_turn_go_out_together_and_are_counted() -> None:
    """And when they came is known."""
    way = Way()
    assert way.passage.take_chunk(chunk(event(b'"a"')))
    assert way.passage.take_chunk(chunk(event(rb'"\"b"')))
    assert way.passage.take(event(b'""'))
    await asyncio.sleep(0)
    assert way.client.writes == [chunk(b'<"a">') + chunk(rb'<"\"b">') + chunk(b'<"">')]
    assert way.tally.frames == 3
    assert 0.0 < way.tally.heard_s <= asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    "data",
    [
        chunk(event(b'"a"')) * 2,
        chunk(event(b'"a"') * 2),
        chunk(event(b'"a"'))[:-1],
        chunk(event(b'"a"'))[:-2] + b"\n\n",
        chunk(event(b'"a"')) + b"0\r\n\r\n",
        b"0" + chunk(event(b'"a"')),
        b"F" + chunk(event(b'"a"'))[1:],
        b"11;x\r\n" + event(b'"a"') + b"\r\n",
        chunk(event(b'"a"')).replace(b"\n\n", b"\r\n"),
        chunk(event(b"7")),
        chunk(event(b'"a","t":"b"')),
        chunk(event(b'"\xff"')),
        chunk(event(b'"a\n"')),
        chunk(b": ping\n\n"),
        b"0\r\n\r\n",
        b"\r\n",
        b"\n",
        b"",
    ],
)
async def test_what_is_not_one_such_event_is_left_alone(data: bytes) -> None:
    """Several at once, a part of one, other framing, anything but one string of JSON in the text's place."""
    way = Way()
    assert not way.passage.take_chunk(data)
    await asyncio.sleep(0)
    assert way.client.writes == []
    assert (way.tally.frames, way.tally.heard_s) == (0, 0.0)


async def test_nothing_goes_to_a_client_that_has_left() -> None:
    """Not even what was gathered before it left."""
    way = Way()
    assert way.passage.take_chunk(chunk(event(b'"a"')))
    way.client.gone = True
    await asyncio.sleep(0)
    assert way.client.writes == []


@given(st.binary(max_size=5_000))
def test_a_chunk_holds_what_was_put_into_it(content: bytes) -> None:
    """Short or long, the line before it is HTTP's; a short one is read back, unless it is the empty one, which is the
    last."""
    whole = size_line(len(content)) + content + b"\r\n"
    assert whole == chunk(content)
    assert content_of(whole) == (content if content and len(whole) < 2_048 else None)


@given(st.binary(max_size=80), st.integers(0, 90), st.binary(max_size=3))
def test_whatever_is_read_as_a_chunk_is_one(content: bytes, at: int, noise: bytes) -> None:
    """Nothing else is taken for one."""
    data = chunk(content)[:at] + noise + chunk(content)[at + len(noise) :]
    found = content_of(data)
    assert found is None or data == chunk(found)


async def test_a_stream_that_is_far_too_long_leaves_the_short_way() -> None:
    """Whoever looks at its events ends it."""
    way = Way()
    way.tally.frames = way.tally.most_frames - 1
    assert way.passage.take(event(b'"a"'))
    assert not way.passage.take(event(b'"a"'))
    assert way.tally.frames == way.tally.most_frames
