"""Whatever a client sends, the connection ends in order and the listener goes on."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.turns import turns
from tests.web_server.raw_client import RawClient
from tests.web_server.server import Server

# Bytes out of which requests are made, so that most examples go deeper than the first line.
PARTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x?y HTTP/1.1\r\n",
        b"HEAD / HTTP/1.0\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 99999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"abc",
        b"\x00",
        b"X" * 700,
    ]
)
STREAMS = st.lists(st.one_of(PARTS, PARTS, PARTS, st.binary(max_size=8)), max_size=20)


async def sent(pieces: list[bytes]) -> None:
    """Send ``pieces``, leave, and see that nothing is left behind and others are served."""
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, fault: faults.append(fault))
    server = Server()
    await server.start()
    rude, polite = await server.connect(), await server.connect()
    for piece in pieces:
        rude.send(piece)
        await asyncio.sleep(0)
    polite.get("/polite", "Connection: close")
    assert (await polite.response()).json["path"] == "/polite"
    answers = await closing_answers(rude, server)
    assert answers == b"" or answers.startswith(b"HTTP/1.1 ")
    await server.wait_open(0)
    await server.stop()
    assert faults == []


async def closing_answers(client: RawClient, server: Server) -> bytes:
    """All that the server says until it closes, which it does at the latest when time runs out."""
    reading = asyncio.create_task(client.rest())
    await turns(2)
    for _ in range(3):  # the phases of a connection that is waited for, refused, and left
        server.sweep(1_000)
        await asyncio.sleep(0)
    client.close()
    try:
        return await reading
    except ConnectionError:
        return b""


@settings(max_examples=150, deadline=None)
@given(STREAMS)
def test_no_bytes_crash_or_hang_a_connection(pieces: list[bytes]) -> None:
    """Every connection is answered in HTTP or not at all, is closed, and disturbs nobody."""
    asyncio.run(sent(pieces))
