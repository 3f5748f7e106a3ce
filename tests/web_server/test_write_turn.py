"""What is written to clients in one turn of the event loop goes out at its end, in order, and never gets lost."""

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.keeping_transport import KeepingTransport

from servery.core.write_turn import Outbox, WriteTurn
from servery.web.server.response_writer import ResponseWriter

JSON = b"content-type: application/json\r\n"


def started(transport: KeepingTransport, turn: WriteTurn) -> tuple[ResponseWriter, Outbox]:
    box = Outbox(transport, turn)
    writer = ResponseWriter(box, keep_alive=True, http_version="1.1")
    writer.start(200, JSON)
    box.flush()
    transport.writes.clear()
    return writer, box


async def test_frames_of_a_turn_go_out_together() -> None:
    """One write for each client, once the turn is over; the next turn has its own."""
    turn, first, second = WriteTurn(), KeepingTransport(), KeepingTransport()
    (one, _), (other, _) = started(first, turn), started(second, turn)
    one.write(b"a")
    other.write(b"b")
    one.write(b"cd")
    assert first.writes == second.writes == []
    await asyncio.sleep(0)
    assert (first.writes, second.writes) == ([b"1\r\na\r\n2\r\ncd\r\n"], [b"1\r\nb\r\n"])
    one.write(b"e")
    await asyncio.sleep(0)
    assert first.writes[1:] == [b"1\r\ne\r\n"]


class CountingLoop(asyncio.AbstractEventLoop):
    """Its time is how often it was asked; what is to be called soon is called when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.soon: list[Callable[..., object]] = []

    def time(self) -> float:
        self.asked += 1
        return float(self.asked)

    def call_soon(self, callback: Callable[..., object], *args: object, **_: object) -> asyncio.Handle:
        self.soon.append(callback)
        return asyncio.Handle(callback, args, self)

    def get_debug(self) -> bool:
        return False


def test_the_time_of_a_turn_is_when_it_began() -> None:
    """Nobody who asks within a turn asks the loop; outside of one it is the loop's own, which goes on."""
    turn, loop = WriteTurn(), CountingLoop()
    asyncio._set_running_loop(loop)
    try:
        assert [turn.now_s, turn.now_s] == [1.0, 2.0]
        Outbox(KeepingTransport(), turn).add(b"a")
        assert [turn.now_s, turn.now_s, turn.began_s] == [3.0, 3.0, 3.0]
        (end,) = loop.soon
        end()
        assert turn.now_s == 4.0
    finally:
        asyncio._set_running_loop(None)


async def test_a_stream_s_head_goes_out_with_its_first_frames() -> None:
    """A client is woken once for both."""
    turn, transport = WriteTurn(), KeepingTransport()
    writer = ResponseWriter(Outbox(transport, turn), keep_alive=True, http_version="1.1")
    writer.start(200, JSON)
    writer.write(b"a")
    assert transport.writes == []
    await asyncio.sleep(0)
    assert transport.writes == [b"HTTP/1.1 200 OK\r\n" + JSON + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n"]


async def test_an_end_goes_out_with_what_was_gathered() -> None:
    """In one write at the turn's end, and nothing is written again by a flush after it."""
    turn, transport = WriteTurn(), KeepingTransport()
    writer, box = started(transport, turn)
    writer.write(b"a")
    writer.end(b"b")
    assert transport.writes == []
    await asyncio.sleep(0)
    assert transport.writes == [b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"]
    box.flush()
    assert len(transport.writes) == 1


async def test_a_whole_response_is_flushed_once() -> None:
    """Whoever closes the connection does not wait for the turn's end."""
    transport = KeepingTransport()
    box = Outbox(transport, WriteTurn())
    writer = ResponseWriter(box, keep_alive=True, http_version="1.1")
    writer.whole(200, b"", b"whole")
    box.flush()
    await asyncio.sleep(0)
    assert [one[-5:] for one in transport.writes] == [b"whole"]


async def test_a_broken_off_response_is_sent_as_far_as_it_came() -> None:
    """Whoever closes the connection flushes first."""
    turn, transport = WriteTurn(), KeepingTransport()
    writer, box = started(transport, turn)
    writer.write(b"a")
    box.flush()
    assert transport.writes == [b"1\r\na\r\n"]


async def test_nothing_is_sent_to_who_has_gone() -> None:
    """Also when a client leaves between a frame and the turn's end."""
    turn, transport = WriteTurn(), KeepingTransport()
    writer, _ = started(transport, turn)
    writer.write(b"a")
    transport.gone = True
    await asyncio.sleep(0)
    assert transport.writes == []


async def test_what_is_held_goes_out_with_the_end() -> None:
    """In one write, in the turn that the end comes in, be it the same one."""
    for turns in (0, 2):
        turn, transport = WriteTurn(), KeepingTransport()
        writer, _ = started(transport, turn)
        writer.write(b"a")
        writer.hold()
        for _ in range(turns):
            await asyncio.sleep(0)
        assert transport.writes == []
        writer.end(b"b")
        await asyncio.sleep(0)
        assert transport.writes == [b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"]


async def test_what_is_held_is_not_lost_where_no_end_comes() -> None:
    """Whoever closes the connection flushes it. What was sent before is not held, nor is what is written later."""
    turn, transport = WriteTurn(), KeepingTransport()
    writer, box = started(transport, turn)
    writer.hold()
    writer.write(b"a")
    await asyncio.sleep(0)
    assert transport.writes == [b"1\r\na\r\n"]
    writer.write(b"b")
    writer.hold()
    box.flush()
    assert transport.writes[1:] == [b"1\r\nb\r\n"]
    writer.write(b"c")
    await asyncio.sleep(0)
    assert transport.writes[2:] == [b"1\r\nc\r\n"]


@given(st.lists(st.integers(1, 6_000), min_size=1, max_size=12), st.booleans())
def test_much_that_is_said_in_a_turn_is_one_write_too(sizes: list[int], is_held_once: bool) -> None:
    """In order, however many pieces of whatever size, held or not; and nothing of it comes again."""

    async def scenario() -> list[bytes]:
        transport = KeepingTransport()
        box = Outbox(transport, WriteTurn())
        for piece in pieces:
            box.add(piece)
            if is_held_once and piece is pieces[0]:
                box.hold()
        box.flush()
        box.add(b"next")
        await asyncio.sleep(0)
        return transport.writes

    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    assert asyncio.run(scenario()) == [b"".join(pieces), b"next"]
