"""A listener with a handler that tells what it was asked."""

import asyncio
import contextlib
import json

from tests.web_server.raw_client import RawClient

from servery.core.cancellation import uncancel
from servery.web.server.client_connection import ClientConnection
from servery.web.server.http_request import HttpRequest
from servery.web.server.listener import Listener
from servery.web.server.response_writer import ResponseWriter
from servery.web.server.server_limits import ServerLimits
from servery.web.server.write_pressure import WritePressure

LIMITS = ServerLimits(
    max_header_bytes=2_000,
    max_body_bytes=10_000,
    max_connections=50,
    header_timeout_s=10.0,
    body_timeout_s=60.0,
    idle_timeout_s=75.0,
    write_stall_timeout_s=30.0,
)
JSON = b"content-type: application/json\r\n"


class Flow:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.changed = asyncio.Event()

    def pause(self) -> None:
        self.told.append("pause")
        self.changed.set()

    def resume(self) -> None:
        self.told.append("resume")
        self.changed.set()

    async def wait_told(self, word: str) -> None:
        async with asyncio.timeout(60):
            while not self.told or self.told[-1] != word:
                self.changed.clear()
                await self.changed.wait()


class Server:
    """Paths: ``/hold`` is answered when ``release`` is set; ``/stream`` begins at once and ends then; ``/flood`` writes
    until the client is full; ``/farewell`` is answered once it is cancelled; ``/deaf`` hears only the third
    cancellation; ``/fault`` is answered before it goes wrong; all others are answered with what was asked."""

    def __init__(self, limits: ServerLimits = LIMITS) -> None:
        self.listener = Listener(self.handle, limits)
        self.requests: list[HttpRequest] = []
        self.release = asyncio.Event()
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.flow = Flow()
        self.clients: list[RawClient] = []
        self.port = 0

    async def start(self) -> None:
        self.port = await self.listener.start("127.0.0.1", 0)

    async def stop(self) -> None:
        for client in self.clients:
            client.abort()
        async with asyncio.timeout(60):
            await self.listener.drain(timeout_s=0.05)
        await asyncio.sleep(0)

    async def connect(self, *, receive_buffer_bytes: int | None = None) -> RawClient:
        client = await RawClient.connect(self.port, receive_buffer_bytes=receive_buffer_bytes)
        self.clients.append(client)
        return client

    def connections(self) -> list[ClientConnection]:
        return list(self.listener._connections)

    async def wait_open(self, number: int) -> None:
        async with asyncio.timeout(60):
            while self.listener.open_connections != number:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    def sweep(self, seconds_later: float) -> None:
        """As the listener does, at a time that has not come yet."""
        for connection in self.connections():
            connection.sweep(asyncio.get_running_loop().time() + seconds_later)

    async def handle(
        self, request: HttpRequest, writer: ResponseWriter, pressure: WritePressure, task: asyncio.Task[None]
    ) -> None:
        self.requests.append(request)
        self.entered.set()
        try:
            match request.head.path:
                case "/hold":
                    await self.release.wait()
                    writer.whole(200, JSON, told(request))
                case "/stream":
                    writer.start(200, JSON)
                    writer.write(b"first")
                    await self.release.wait()
                    writer.end(b"last")
                case "/farewell":
                    await self._wait_to_be_cut(writer)
                case "/deaf":
                    for _ in range(2):
                        with contextlib.suppress(asyncio.CancelledError):
                            await self.release.wait()
                    await self.release.wait()
                case "/fault":
                    writer.whole(200, JSON, told(request))
                    raise ValueError(request.head.path)
                case "/flood":
                    await self._flood(writer, pressure)
                case _:
                    writer.whole(200, JSON, told(request))
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _wait_to_be_cut(self, writer: ResponseWriter) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            uncancel()
        await asyncio.sleep(0.01)
        writer.whole(503, JSON, b"farewell")

    async def _flood(self, writer: ResponseWriter, pressure: WritePressure) -> None:
        pressure.attach(self.flow)
        writer.start(200, JSON)
        while not self.flow.told:
            writer.write(b"x" * 65_536)
            await asyncio.sleep(0)
        await self.release.wait()
        pressure.detach(self.flow)
        writer.end()


def told(request: HttpRequest) -> bytes:
    return json.dumps(
        {
            "method": request.head.method,
            "path": request.head.path,
            "query": request.head.query.decode("latin-1"),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.head.headers],
            "body": request.body.decode("latin-1"),
        }
    ).encode()
