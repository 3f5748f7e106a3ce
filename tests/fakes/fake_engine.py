"""An engine that does as it is told: an HTTP server on loopback that follows a script for each inference request."""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, cast

import httptools

from servery.core.engine_family import EngineFamily
from servery.engines.address import EngineAddress

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}


class FakeExchange:
    """One request that reached the engine, and the way to answer it. ``client_left`` is set when the client closes
    the connection before the answer is complete."""

    def __init__(self, connection: "_Connection", method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.client_left = asyncio.Event()
        self.is_over = False
        self.connection_number = connection.number
        self._connection = connection

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def head(self, status: int, *headers: tuple[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *(f"{name}: {value}" for name, value in headers)]
        self.raw("\r\n".join([*lines, "", ""]).encode())

    def raw(self, data: bytes) -> None:
        """Any bytes, as they are."""
        self._connection.transport.write(data)

    def whole(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """A complete answer."""
        self.head(status, ("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers)
        self.raw(body)
        self.over()

    def start_stream(self) -> None:
        self.head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))

    def event(self, data: bytes) -> None:
        self.piece(b"data: " + data + b"\n\n")

    def piece(self, data: bytes) -> None:
        """One chunk of the body."""
        self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        """``[DONE]``, the end of the body, and of the connection where the client asked for that."""
        self.event(b"[DONE]")
        self.end_body()

    def end_body(self) -> None:
        self.raw(b"0\r\n\r\n")
        self.over()

    def over(self) -> None:
        self.is_over = True
        if self.headers.get("connection") == "close":
            self.close()

    def close(self) -> None:
        """Close the connection once what was written has been sent."""
        self._connection.transport.close()

    def reset(self) -> None:
        """Close the connection as a machine does that forgot it: with RST."""
        sock = self._connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.transport.abort()


Script = Callable[[FakeExchange], Awaitable[None]]


class _Connection(asyncio.Protocol):
    def __init__(self, engine: "FakeEngine", number: int) -> None:
        self.number = number
        self.exchange: FakeExchange | None = None
        self._engine = engine
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._engine.open_connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.open_connections.discard(self)
        if self.exchange is not None and not self.exchange.is_over:
            self.exchange.client_left.set()
        self._engine.changed.set()

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        self.exchange = FakeExchange(self, method, self._url.decode(), self._headers, self._body)
        self._engine.take(self.exchange)


class FakeEngine:
    """Follows ``scripts`` in order, one for each inference request, then ``always``. Health is answered by
    ``health_status``; such requests are kept apart from ``asked``."""

    def __init__(self, always: Script, *, port: int = 0) -> None:
        self.always = always
        self.scripts: deque[Script] = deque()
        self.health_status = 200
        self.asked: list[FakeExchange] = []
        self.probes: list[FakeExchange] = []
        self.connections_opened = 0
        self.open_connections: set[_Connection] = set()
        self.changed = asyncio.Event()
        self.port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def address(self, family: EngineFamily = EngineFamily.LLAMA_CPP) -> EngineAddress:
        return EngineAddress(family=family, host="127.0.0.1", port=self.port, served_model="fake")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, exchange: FakeExchange) -> None:
        if exchange.path in {"/health", "/v1/models"}:
            self.probes.append(exchange)
            exchange.whole(self.health_status, b"{}")
        else:
            self.asked.append(exchange)
            script = self.scripts.popleft() if self.scripts else self.always
            task = asyncio.get_running_loop().create_task(_run(script, exchange))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.changed.set()

    async def wait_asked(self, times: int) -> FakeExchange:
        """Return the request number ``times`` (from 1) once it is there."""
        while len(self.asked) < times:
            self.changed.clear()
            await self.changed.wait()
        return self.asked[times - 1]

    async def wait_connections(self, number: int) -> None:
        """Return once exactly ``number`` connections are open."""
        while len(self.open_connections) != number:
            self.changed.clear()
            await self.changed.wait()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a machine that goes away: nothing listens any more, open connections are cut."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.open_connections):
            connection.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.wait_connections(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def _connection(self) -> _Connection:
        self.connections_opened += 1
        return _Connection(self, self.connections_opened)


async def _run(script: Script, exchange: FakeExchange) -> None:
    await script(exchange)
