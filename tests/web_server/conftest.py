"""A listener for each test, and a client of it."""

from collections.abc import AsyncIterator

import pytest
from tests.web_server.raw_client import RawClient
from tests.web_server.server import Server


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
