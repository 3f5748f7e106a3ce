"""The client of the overload scenarios."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from benchmarks.kept_connections import Answer, KeptConnections

STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


class Server:
    """Answers each request in turn with what stands for it; ``bye`` by closing. Counts connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while (asked := await reader.readline()) and asked != b"bye\n":
            writer.write({b"stream\n": STREAM, b"refuse\n": REFUSAL}[asked])
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield made


async def test_answers_are_told_apart_over_one_connection(server: Server) -> None:
    """A stream's and a refusal's, with the first word only where it came."""
    kept = KeptConnections(server.port, b"world")
    answers = [await kept.ask(asked) for asked in (b"stream\n", b"refuse\n", b"stream\n")]
    kept.close()
    assert [(one.status, one.body) for one in answers] == [(200, b"hello world"), (503, b"busy"), (200, b"hello world")]
    assert [bool(one.first_s) for one in answers] == [True, False, True]
    assert server.connections == 1


async def test_calls_at_once_have_a_connection_each(server: Server) -> None:
    """And those that come after them use these."""
    kept = KeptConnections(server.port, b"hello")
    for _ in range(2):
        together: list[Answer] = await asyncio.gather(*(kept.ask(b"stream\n") for _ in range(5)))
        assert {one.body for one in together} == {b"hello world"}
    kept.close()
    assert server.connections == 5


async def test_an_answer_that_does_not_come_is_an_error(server: Server) -> None:
    """The next call finds a connection of its own."""
    kept = KeptConnections(server.port, b"hello")
    with pytest.raises(ConnectionError):
        await kept.ask(b"bye\n")
    assert (await kept.ask(b"stream\n")).status == 200
    kept.close()
