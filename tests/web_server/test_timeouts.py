"""Slow clients, with the time made up: the listener's sweep is called with a moment that has not come."""

import asyncio

from tests.turns import turns
from tests.web_server.raw_client import RawClient
from tests.web_server.server import LIMITS, Server

from servery.web.server.server_limits import ServerLimits

SLOW_READER_BYTES = 4_096


async def arrived(server: Server) -> None:
    """Give what was sent the time to be read."""
    await server.wait_open(1)
    await turns()


async def test_an_idle_connection_is_closed(server: Server, client: RawClient) -> None:
    """After its time, not before; without a word."""
    client.get()
    await client.response()
    await arrived(server)
    server.sweep(LIMITS.idle_timeout_s - 5)
    assert server.listener.open_connections == 1
    server.sweep(LIMITS.idle_timeout_s + 1)
    assert await client.is_closed()


async def test_headers_that_do_not_end_are_refused(server: Server, client: RawClient) -> None:
    """With 408; a byte now and then buys no time."""
    client.send(b"GET / HTTP/1.1\r\n")
    await arrived(server)
    client.send(b"X: y")
    await arrived(server)
    server.sweep(LIMITS.header_timeout_s - 2)
    assert server.listener.open_connections == 1
    server.sweep(LIMITS.header_timeout_s + 1)
    assert (await client.response()).status == 408
    assert await client.is_closed()


async def test_a_body_that_does_not_end_is_refused(server: Server, client: RawClient) -> None:
    """It has a time of its own."""
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab")
    await arrived(server)
    server.sweep(LIMITS.header_timeout_s + 1)
    server.sweep(LIMITS.body_timeout_s + 1)
    assert (await client.response()).status == 408
    assert await client.is_closed()
    assert server.requests == []


async def test_a_response_may_take_its_time(server: Server, client: RawClient) -> None:
    """No limit of the listener's is on an engine; the next request has its full time again."""
    client.get("/hold")
    await server.entered.wait()
    server.sweep(10_000)
    server.release.set()
    assert (await client.response()).status == 200
    client.get()
    assert (await client.response()).status == 200


async def test_a_second_request_that_stays_away_does_not_hurt_the_first(server: Server, client: RawClient) -> None:
    """Its refusal comes after the response that is under way."""
    client.get("/hold")
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab")
    await server.entered.wait()
    await arrived(server)
    server.sweep(LIMITS.body_timeout_s + 1)
    server.release.set()
    assert (await client.response()).json["path"] == "/hold"
    assert (await client.response()).status == 408


async def test_a_slow_reader_slows_down_what_feeds_it(server: Server) -> None:
    """Its flow is paused while it takes nothing, resumed when it does; all arrives."""
    client = await server.connect(receive_buffer_bytes=SLOW_READER_BYTES)
    client.get("/flood")
    await server.flow.wait_told("pause")
    reading = asyncio.create_task(client.response())
    await server.flow.wait_told("resume")
    server.release.set()
    assert set((await reading).body) == {ord("x")}


async def test_a_reader_that_takes_nothing_is_gone(server: Server) -> None:
    """After its time the connection is cut, and the handler cancelled."""
    client = await server.connect(receive_buffer_bytes=SLOW_READER_BYTES)
    client.get("/flood")
    await server.flow.wait_told("pause")
    server.sweep(LIMITS.write_stall_timeout_s - 5)
    assert server.listener.open_connections == 1
    server.sweep(LIMITS.write_stall_timeout_s + 1)
    await server.wait_open(0)
    assert server.cancelled.is_set()


async def test_a_last_response_that_nobody_reads_is_given_up() -> None:
    """Little enough is unsent not to count as pressure, but the connection does not stay for ever."""
    limits = {**{name: getattr(LIMITS, name) for name in LIMITS.__struct_fields__}, "write_buffer_bytes": 1 << 30}
    server = Server(ServerLimits(**limits))
    await server.start()
    client = await server.connect(receive_buffer_bytes=SLOW_READER_BYTES)
    client.get("/flood", "Connection: close")
    await server.entered.wait()
    await turns(100)
    server.flow.pause()
    server.release.set()
    await turns()
    assert server.listener.open_connections == 1
    server.sweep(LIMITS.write_stall_timeout_s + 1)
    await server.wait_open(0)
    await server.stop()


async def test_a_refused_client_may_not_go_on_for_ever(server: Server, client: RawClient) -> None:
    """What it still sends is dropped for a moment; then the connection is closed."""
    client.send(b"garbage\r\n\r\n")
    assert (await client.response()).status == 400
    assert server.listener.open_connections == 1
    server.sweep(LIMITS.linger_s + 1)
    await server.wait_open(0)


async def test_a_loop_that_was_held_up_blames_no_client(server: Server, client: RawClient) -> None:
    """What clients have sent in time is read before their time is looked at."""
    client.send(b"GET / HTTP/1.1\r\n")
    await arrived(server)
    (connection,) = server.connections()
    connection._phase_since_s -= LIMITS.header_timeout_s + 1
    server.listener._sweeps_s -= 2.0  # when this round should have been
    assert server.listener._sweeper is not None
    server.listener._sweeper.cancel()
    server.listener._sweep()
    client.send(b"Host: a\r\n\r\n")
    assert (await client.response()).status == 200


async def test_a_round_that_is_in_time_looks_at_all(server: Server, client: RawClient) -> None:
    """The next one after that."""
    client.send(b"GET / HTTP/1.1\r\n")
    await arrived(server)
    (connection,) = server.connections()
    connection._phase_since_s -= LIMITS.header_timeout_s + 1
    assert server.listener._sweeper is not None
    server.listener._sweeper.cancel()
    server.listener._sweep()
    assert (await client.response()).status == 408
