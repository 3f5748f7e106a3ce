"""A client that sends any bytes and reads what comes back."""

import asyncio
import json
import socket
from typing import Any, Self

import msgspec


class Response(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, *, receive_buffer_bytes: int | None = None) -> Self:
        sock = socket.socket()
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return cls(*await asyncio.open_connection(sock=sock, limit=1024))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def get(self, path: str = "/", *headers: str) -> None:
        self.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]).encode())

    def post(self, body: bytes, path: str = "/", *headers: str) -> None:
        head = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(head).encode() + body)

    async def line(self) -> str:
        return (await self._within(self._reader.readline())).decode().rstrip("\r\n")

    async def response(self, *, head_only: bool = False) -> Response:
        """One response, told apart from the next by its length or its chunks."""
        status = int((await self.line()).split(" ")[1])
        headers: dict[str, str] = {}
        while line := await self.line():
            name, value = line.split(": ", 1)
            assert name not in headers, f"{name} is sent once"
            headers[name] = value
        if head_only:
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Response(status, headers, await self._chunks())
        if "content-length" not in headers:
            return Response(status, headers, await self.rest())
        return Response(status, headers, await self._exactly(int(headers["content-length"])))

    async def rest(self) -> bytes:
        """All that comes until the server closes its side."""
        found = []
        while data := await self._within(self._reader.read(65_536)):
            found.append(data)
        return b"".join(found)

    async def is_closed(self) -> bool:
        """Whether the server closes without another word."""
        try:
            return await self.rest() == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.line(), 16):
            body += await self._exactly(size)
            assert await self._exactly(2) == b"\r\n"
        assert await self._exactly(2) == b"\r\n"
        return body

    async def _exactly(self, size: int) -> bytes:
        return await self._within(self._reader.readexactly(size))

    async def _within(self, reading: Any) -> bytes:
        async with asyncio.timeout(60):
            data: bytes = await reading
            return data
