"""A client that keeps its connections: of what a call costs, little is its own."""

import asyncio
import time
from typing import cast

import httptools
import msgspec


class Answer(msgspec.Struct, frozen=True):
    """``first_s``: when the first word came, as ``time.monotonic`` tells it; 0 where none came."""

    status: int
    body: bytes
    first_s: float


class KeptConnections:
    """To one port of this machine. As many are opened as there are calls at once; one that ends a call is there for the
    next. An answer has its first token with ``first_word``."""

    def __init__(self, port: int, first_word: bytes) -> None:
        self._port = port
        self._first_word = first_word
        self._idle: list[_Connection] = []

    async def ask(self, request: bytes) -> Answer:
        """Raises ConnectionError when the connection ends before the answer does."""
        connection = await self._connection()
        answer = await connection.ask(request)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _connection(self) -> "_Connection":
        while self._idle:
            kept = self._idle.pop()
            if kept.is_open:
                return kept
        loop = asyncio.get_running_loop()
        _, fresh = await loop.create_connection(lambda: _Connection(self._first_word), "127.0.0.1", self._port)
        return fresh


class _Connection(asyncio.Protocol):
    """Asked one thing after the other. It is httptools' listener too."""

    def __init__(self, first_word: bytes) -> None:
        self._first_word = first_word
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[Answer] | None = None
        self._body = bytearray()
        self._first_s = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Answer:
        assert self._transport is not None, "it is open"
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._first_s = bytearray(), 0.0
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionError("the connection ended before the answer did"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        self._body += piece
        if not self._first_s and self._first_word in self._body:
            self._first_s = time.monotonic()

    def on_message_complete(self) -> None:
        assert self._answered is not None, "it was asked"
        if not self._answered.done():
            self._answered.set_result(Answer(self._parser.get_status_code(), bytes(self._body), self._first_s))
