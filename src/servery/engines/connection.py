"""One TCP connection to an engine, as an asyncio Protocol: bytes go to the exchange inside ``data_received``."""

import asyncio
from typing import Protocol, cast

from servery.core.write_turn import Outbox, WriteTurn
from servery.engines.passage import Passage
from servery.engines.response_head import KnownHead, NotHttp, ResponseHead
from servery.engines.response_parser import ResponseParser


class ResponseReader(Protocol):
    """What a connection tells about the response to the request in flight on it."""

    def on_head(self, head: ResponseHead) -> None: ...

    def on_body(self, piece: bytes) -> None: ...

    def passage(self) -> Passage | None:
        """The short way past ``on_body``, which may be taken until ``on_body`` is called again."""
        ...

    def on_complete(self) -> None: ...

    def on_lost(self, error: Exception | None) -> None: ...

    def on_time(self) -> None:
        """The moment that the connection was asked to watch for has come, or an earlier one."""
        ...


class EngineConnection(asyncio.Protocol):
    """Carries one exchange at a time. ``reusable`` tells after an exchange whether another may follow.

    One timer watches over all of them: it is set anew only when it fires, or would fire too late, so that most
    exchanges set none.
    """

    __slots__ = (
        "_fires_s",
        "_known_head",
        "_loop",
        "_outbox",
        "_parser",
        "_passage",
        "_reader",
        "_timer",
        "_transport",
        "_turn",
        "exchanges",
        "idle_since_s",
        "reusable",
    )

    def __init__(self, turn: WriteTurn, known_head: KnownHead) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fires_s = 0.0
        self._turn = turn
        self._known_head = known_head
        self._transport: asyncio.Transport | None = None
        self._outbox: Outbox | None = None
        self._passage: Passage | None = None
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
        assert self._outbox is not None, "a request is sent over an open connection"
        self._reader = reader
        self._parser = ResponseParser(
            self._known_head, on_head=reader.on_head, on_body=reader.on_body, on_end=self._ended
        )
        self.reusable = not last
        self.exchanges += 1
        self._outbox.add(request)

    def watch(self, until_s: float) -> None:
        """Call the reader's ``on_time`` at that moment of the event loop's clock, and maybe before."""
        if self._timer is not None:
            if self._fires_s <= until_s:
                return
            self._timer.cancel()
        self._fires_s = until_s
        self._timer = self._loop.call_at(until_s, self._time_came)

    def close(self) -> None:
        """Close now; the engine aborts what it was generating. The reader hears nothing more."""
        self._let_go()
        self._end_watch()
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
        self._outbox = Outbox(self._transport, self._turn)

    def data_received(self, data: bytes) -> None:
        if self._passage is not None and self._passage.take_chunk(data):
            return  # so nearly all tokens come
        self._passage, parser = None, self._parser
        if parser is None:
            self.close()  # bytes that nobody asked for: whatever they are, they answer no request of ours
            return
        try:
            parser.feed(data)
        except NotHttp as error:
            self._fail(error)
        else:
            if self._reader is not None and parser.is_between_chunks:
                self._passage = self._reader.passage()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc)
        self._end_watch()
        self._transport = None

    # Its own

    def _time_came(self) -> None:
        self._timer = None
        if self._reader is not None:
            self._reader.on_time()

    def _end_watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
        reader, self._reader, self._parser, self._passage = self._reader, None, None, None
        return reader
