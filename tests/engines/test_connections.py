"""Connections to one engine: kept, used again, given up."""

import asyncio
import socket
from typing import Any

import pytest
from tests.engines.asking import Asking
from tests.engines.conftest import NewClient
from tests.fakes.engine_scripts import answers, dies, resets, streams
from tests.fakes.fake_engine import FakeEngine, FakeExchange
from tests.turns import turns

from servery.core.clock import ManualClock
from servery.core.engine_family import EngineFamily
from servery.core.errors import EngineUnavailable
from servery.engines.connection import EngineConnection


async def test_a_connection_serves_one_request_after_another(engine: FakeEngine, new_client: NewClient) -> None:
    """Streams and wholes, without a new connection."""
    client = new_client(EngineFamily.VLLM)
    for _ in range(3):
        await Asking(client).answer()
        engine.scripts.append(answers())
        await Asking(client, stream=False).answer()
    assert engine.connections_opened == 1


async def test_requests_at_once_have_connections_of_their_own(engine: FakeEngine, new_client: NewClient) -> None:
    """An answer never waits behind another; later the connections are shared."""
    client = new_client(EngineFamily.VLLM)
    hold = asyncio.Event()
    engine.always = streams(hold=hold)
    tasks = [asyncio.create_task(Asking(client).answer()) for _ in range(5)]
    await engine.wait_asked(5)
    hold.set()
    await asyncio.gather(*tasks)
    assert engine.connections_opened == 5
    await asyncio.gather(*(Asking(client).answer() for _ in range(5)))
    assert engine.connections_opened == 5


async def test_only_so_many_connections_are_kept(engine: FakeEngine, new_client: NewClient) -> None:
    """The others are closed when they are no longer needed."""
    client = new_client(EngineFamily.VLLM, idle_connections=2)
    hold = asyncio.Event()
    engine.always = streams(hold=hold)
    tasks = [asyncio.create_task(Asking(client).answer()) for _ in range(5)]
    await engine.wait_asked(5)
    hold.set()
    await asyncio.gather(*tasks)
    await engine.wait_connections(2)


async def test_a_stream_of_llama_cpp_is_the_last_of_its_connection(engine: FakeEngine, new_client: NewClient) -> None:
    """It announces keep-alive and closes all the same, so it is asked to close; wholes share a connection."""
    client = new_client()
    await Asking(client).answer()
    assert engine.asked[0].headers["connection"] == "close"
    await engine.wait_connections(0)
    engine.always = answers()
    for _ in range(3):
        await Asking(client, stream=False).answer()
    assert "connection" not in engine.asked[-1].headers
    assert engine.connections_opened == 2


async def test_a_connection_is_not_kept_for_long(engine: FakeEngine, new_client: NewClient, clock: ManualClock) -> None:
    """An engine closes idle connections; ours are given up before it does."""
    client = new_client(EngineFamily.VLLM, idle_s=3.0)
    await Asking(client).answer()
    clock.advance(2.9)
    await Asking(client).answer()
    assert engine.connections_opened == 1
    clock.advance(3.0)
    await Asking(client).answer()
    assert engine.connections_opened == 2
    await engine.wait_connections(1)


@pytest.mark.parametrize("ending", [dies, resets])
async def test_a_stale_connection_is_replaced_once(engine: FakeEngine, new_client: NewClient, ending: object) -> None:
    """A kept connection that the engine drops, with FIN or RST, before it answers a byte: the request goes out again on
    a new one. A second death is the engine's answer."""
    client = new_client(EngineFamily.VLLM)
    stale = dies if ending is dies else resets
    await Asking(client).answer()
    engine.scripts.append(stale)
    await Asking(client).answer()
    assert engine.connections_opened == 2
    assert len(engine.asked) == 3
    engine.scripts.extend([stale, stale])
    assert isinstance(await Asking(client).error(), EngineUnavailable)
    assert len(engine.asked) == 5


async def test_a_connection_that_the_engine_closed_is_not_used(engine: FakeEngine, new_client: NewClient) -> None:
    """Nobody is asked over a connection that is known to be closed."""
    client = new_client(EngineFamily.VLLM)
    await Asking(client).answer()
    engine.asked[0].close()
    await engine.wait_connections(0)
    await turns()
    await Asking(client).answer()
    assert len(engine.asked) == 2


async def test_an_abort_while_a_new_connection_is_made(engine: FakeEngine, new_client: NewClient) -> None:
    """The request that was to be sent again is not."""
    client = new_client(EngineFamily.VLLM)
    await Asking(client).answer()
    engine.scripts.append(dies)
    exchange = Asking(client).begin()
    while exchange._opening is None:  # noqa: ASYNC110
        await asyncio.sleep(0)
    exchange.abort()
    await engine.wait_connections(0)
    await turns()
    assert len(engine.asked) == 2


async def test_bytes_that_nobody_asked_for_end_a_connection(engine: FakeEngine, new_client: NewClient) -> None:
    """They answer no request of ours, least of all the next one."""
    client = new_client(EngineFamily.VLLM)
    await Asking(client).answer()
    engine.asked[0].raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    await engine.wait_connections(0)
    await Asking(client).answer()
    assert engine.connections_opened == 2


async def test_an_engine_that_asks_to_close_is_obeyed(engine: FakeEngine, new_client: NewClient) -> None:
    """``Connection: close`` on an answer: no other request follows it."""

    async def closing(exchange: FakeExchange) -> None:
        exchange.whole(200, b"{}", ("Connection", "close"))

    engine.always = closing
    client = new_client()
    for _ in range(2):
        await Asking(client, stream=False).answer()
    assert engine.connections_opened == 2


async def test_a_connection_that_is_lost_as_soon_as_it_is_made(
    engine: FakeEngine, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine dies after it was connected to and before it was asked: that is known at once, not when its time to
    answer is over."""
    loop = asyncio.get_running_loop()
    opened = loop.create_connection

    async def lost(*arguments: Any, **options: Any) -> tuple[asyncio.Transport, EngineConnection]:
        transport, connection = await opened(*arguments, **options)
        await engine.stop()
        while connection.is_open:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return transport, connection

    monkeypatch.setattr(loop, "create_connection", lost)
    error = await Asking(new_client(first_byte_timeout_s=1.0)).error()
    assert isinstance(error, EngineUnavailable)
    assert engine.asked == []


async def test_nobody_listening_is_unavailable(engine: FakeEngine, new_client: NewClient) -> None:
    """Connecting is refused."""
    client = new_client()
    await engine.stop()
    assert isinstance(await Asking(client).error(), EngineUnavailable)
    with pytest.raises(EngineUnavailable):
        await client.call("GET", "/health", timeout_s=1)


async def test_an_engine_that_does_not_accept_is_unavailable(engine: FakeEngine, new_client: NewClient) -> None:
    """Connecting has its own, short time."""
    client = new_client(connect_timeout_s=0.05)
    await engine.stop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", engine.port))
        listener.listen(0)
        taken = [socket.create_connection(("127.0.0.1", engine.port)) for _ in range(1)]
        assert isinstance(await Asking(client).error(), EngineUnavailable)
        for one in taken:
            one.close()


async def test_a_client_that_is_closed_keeps_nothing(engine: FakeEngine, new_client: NewClient) -> None:
    """No connection stays."""
    client = new_client(EngineFamily.VLLM)
    await Asking(client).answer()
    client.close()
    await engine.wait_connections(0)
