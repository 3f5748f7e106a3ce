"""One TCP connection to an engine, as an asyncio Protocol: bytes go to the exchange inside ``data_received``."""

import asyncio
from typing import Protocol, cast

from servery.core.write_turn import WriteTurn
from servery.engines.response_parser import Headers, NotHttp, ResponseParser


class ResponseReader(Protocol):
    """What a connection tells about the response to the request in flight on it."""

    def on_head(self, status: int, headers: Headers) -> None: ...

    def on_body(self, piece: bytes) -> None: ...

    def on_complete(self) -> None: ...

    def on_lost(self, error: Exception | None) -> None: ...


class EngineConnection(asyncio.Protocol):
    """Carries one exchange at a time. ``reusable`` tells after an exchange whether another may follow."""

    __slots__ = ("_parser", "_reader", "_transport", "_turn", "_unsent", "exchanges", "idle_since_s", "reusable")

    def __init__(self, turn: WriteTurn) -> None:
        self._turn = turn
        self._unsent = b""
        self._transport: asyncio.Transport | None = None
        self._parser: ResponseParser | None = None
        self._reader: ResponseReader | None = None
        self.reusable = True
        self.idle_since_s = 0.0
        self.exchanges = 0

    # What the owner calls

    def send(self, request: bytes, reader: ResponseReader, *, last: bool) -> None:
        """Send one request at the end of the event loop's turn; ``reader`` hears of its response. ``last``: no other
        request will follow."""
        assert self._reader is None, "a connection carries one exchange at a time"
        self._reader = reader
        self._parser = ResponseParser(on_head=reader.on_head, on_body=reader.on_body, on_end=self._ended)
        self.reusable = not last
        self.exchanges += 1
        self._unsent = request
        self._turn.join(self)

    def flush(self) -> None:
        """Write what is to be sent, unless the connection was closed in the meantime."""
        request, self._unsent = self._unsent, b""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(request)

    def close(self) -> None:
        """Close now; the engine aborts what it was generating. The reader hears nothing more."""
        self._let_go()
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not of asyncio's classes

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            self.close()  # bytes that nobody asked for: whatever they are, they answer no request of ours
            return
        try:
            self._parser.feed(data)
        except NotHttp as error:
            self._fail(error)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc)
        self._transport = None

    # Its own

    def _ended(self) -> None:
        """The response is complete."""
        self.reusable = self.reusable and self._parser is not None and self._parser.keeps_alive
        reader = self._let_go()
        if reader is not None:
            reader.on_complete()

    def _fail(self, error: Exception | None) -> None:
        reader = self._let_go()
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()
        if reader is not None:
            reader.on_lost(error)

    def _let_go(self) -> ResponseReader | None:
        """The reader hears nothing more, unless from who calls this."""
        if self._parser is not None:
            self._parser.stop()
        reader, self._reader, self._parser = self._reader, None, None
        return reader
