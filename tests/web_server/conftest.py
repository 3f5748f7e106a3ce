"""A listener for each test, and a client of it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from tests.web_server.raw_client import RawClient
from tests.web_server.server import Server


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The platform's own event loop, whose transports differ from asyncio's in detail."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()
    assert server.listener.open_connections == 0


@pytest.fixture
async def client(server: Server) -> RawClient:
    return await server.connect()
