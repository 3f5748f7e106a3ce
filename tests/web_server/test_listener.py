"""Opening, leaving, draining."""

import asyncio
import socket
import struct

import pytest
from tests.turns import turns
from tests.web_server.raw_client import RawClient
from tests.web_server.server import LIMITS, Server

from servery.core.misconfigured import Misconfigured
from servery.web.server.listener import Listener


async def test_a_client_that_leaves_cancels_its_request(server: Server, client: RawClient) -> None:
    """With FIN or RST, in a stream or before."""
    for path, leave in (("/hold", "close"), ("/stream", "abort"), ("/hold", "abort"), ("/stream", "close")):
        one = await server.connect()
        server.entered.clear()
        server.cancelled.clear()
        one.get(path)
        await server.entered.wait()
        getattr(one, leave)()
        async with asyncio.timeout(60):
            await server.cancelled.wait()


async def test_waiting_requests_of_a_client_that_left_are_not_served(server: Server, client: RawClient) -> None:
    """Nobody would read their answers."""
    client.get("/hold")
    client.get("/next")
    await server.entered.wait()
    client.abort()
    await server.wait_open(0)
    server.release.set()
    await asyncio.sleep(0.01)
    assert [request.head.path for request in server.requests] == ["/hold"]


async def test_clients_that_leave_at_once_leave_nothing(server: Server) -> None:
    """Connections that are reset right after the request, or instead of it."""
    for number in range(40):
        one = await server.connect()
        one.get("/hold" if number % 2 else "/")
        if number % 3:
            await asyncio.sleep(0)
        one.abort()
    await server.wait_open(0)


@pytest.mark.parametrize("end", ["FIN", "RST"])
@pytest.mark.parametrize("requests", [1, 2, 3])
async def test_requests_and_their_clients_end_may_come_in_one_moment(server: Server, end: str, requests: int) -> None:
    """Then the connection may be over before a request's task has begun: nothing of it may stay behind."""
    for path in ("/", "/hold", "/stream") * 5:
        with socket.socket() as one:  # all of it happens while the event loop stands still
            one.connect(("127.0.0.1", server.port))
            if end == "RST":
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * requests)
        await asyncio.sleep(0)
    await server.wait_open(0)


async def test_a_waiting_request_is_not_begun_for_a_client_that_leaves_now(server: Server, client: RawClient) -> None:
    """The request before it ends in the very moment in which the connection does."""
    client.get("/hold")
    client.get("/")
    await server.entered.wait()
    (connection,) = server.connections()
    server.release.set()
    asyncio.get_running_loop().call_soon(connection.abort)
    await server.wait_open(0)


async def test_draining_lets_requests_finish_and_closes_the_rest(server: Server, client: RawClient) -> None:
    """The open request is answered and told that it was the last; the idle connection is closed; nobody new enters."""
    idle = await server.connect()
    half = await server.connect()
    half.send(b"GET / HT")
    client.get("/hold")
    await server.entered.wait()
    draining = asyncio.create_task(server.listener.drain(timeout_s=60))
    assert await idle.is_closed()
    assert await half.is_closed()
    with pytest.raises(ConnectionRefusedError):
        await RawClient.connect(server.port)
    server.release.set()
    response = await client.response()
    assert response.status == 200
    assert await client.is_closed()
    await draining


async def test_draining_has_an_end(server: Server, client: RawClient) -> None:
    """What has not finished by then is cut."""
    client.get("/hold")
    stalled = await server.connect(receive_buffer_bytes=4_096)
    stalled.get("/flood")
    await server.flow.wait_told("pause")
    async with asyncio.timeout(60):
        await server.listener.drain(timeout_s=0.05)
    assert server.listener.open_connections == 0
    assert server.cancelled.is_set()
    assert await client.is_closed()


async def test_who_does_not_hear_that_it_is_cut_is_told_again(server: Server, client: RawClient) -> None:
    """What a handler waits for may take a cancellation for its own; the platform ends all the same."""
    client.get("/deaf")
    await server.entered.wait()
    async with asyncio.timeout(60):
        await server.listener.drain(timeout_s=0.05)
    assert server.listener.open_connections == 0


async def test_what_is_cut_may_say_a_last_word(server: Server, client: RawClient) -> None:
    """Its handler is cancelled, once whoever drains has been told, and has a moment for it."""
    client.get("/farewell")
    client.get("/never")
    await server.entered.wait()
    told: list[bool] = []
    await server.listener.drain(timeout_s=0.05, before_cut=lambda: told.append(server.cancelled.is_set()))
    assert told == [False]
    assert (await client.response()).body == b"farewell"
    assert await client.is_closed()
    assert [request.head.path for request in server.requests] == ["/farewell"]


async def test_who_leaves_in_the_moment_of_being_cut_is_gone(server: Server, client: RawClient) -> None:
    """Two reasons for one cancellation, of which the handler hears of one: nothing waits for that client any more."""
    client.get("/farewell")
    await server.entered.wait()
    (connection,) = server.connections()
    connection.abort()
    connection.cut_off()
    await server.wait_open(0)
    async with asyncio.timeout(60):
        await server.listener.drain(timeout_s=0.05)


async def test_draining_can_be_hurried(server: Server, client: RawClient) -> None:
    """The time for finishing is cut short; the last word is said."""
    client.get("/farewell")
    await server.entered.wait()
    draining = asyncio.create_task(server.listener.drain(timeout_s=3_600))
    await asyncio.sleep(0)
    assert not server.cancelled.is_set()
    server.listener.hurry()
    assert (await client.response()).body == b"farewell"
    await draining


async def test_draining_can_be_hurried_twice(server: Server, client: RawClient) -> None:
    """Then nobody is waited for who does not read."""
    stalled = await server.connect(receive_buffer_bytes=4_096)
    stalled.get("/flood")
    await server.flow.wait_told("pause")
    server.listener.hurry()
    draining = asyncio.create_task(server.listener.drain(timeout_s=3_600))
    async with asyncio.timeout(60):
        await server.cancelled.wait()
    server.listener.hurry()
    await turns()
    assert server.listener.open_connections == 0
    await draining


async def test_a_port_that_is_taken_is_told(server: Server) -> None:
    """In words for the operator."""
    with pytest.raises(Misconfigured, match=f"cannot listen on 127.0.0.1:{server.port}"):
        await Listener(server.handle, LIMITS).start("127.0.0.1", server.port)
