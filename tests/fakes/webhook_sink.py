"""A small HTTP server that keeps what is posted to it."""

import asyncio
from types import TracebackType
from typing import Self

import msgspec


class Posted(msgspec.Struct):
    target: str
    headers: dict[str, str]
    body: bytes


class WebhookSink:
    """Listens on loopback, and answers with ``status``."""

    def __init__(self, *, status: int = 200) -> None:
        self.status = status
        self.headers = ""
        self.posted: list[Posted] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.posted.append(Posted(head[0], headers, body))
        writer.write(
            f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\n{self.headers}connection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()
