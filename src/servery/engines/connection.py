"""One TCP connection to an engine, as an asyncio Protocol: bytes go to the exchange inside ``data_received``."""

import asyncio
from typing import Final, cast

from servery.core.write_turn import Outbox, WriteTurn
from servery.engines.passage import Passage
from servery.engines.response_head import KnownHead, NotHttp
from servery.engines.response_parser import ResponseParser, Told
from servery.engines.response_reader import ResponseReader

# Looked up for each response; from its class a member comes a good deal slower.
_PIECE: Final = Told.PIECE
_HEAD: Final = Told.HEAD
_NOTHING: Final = Told.NOTHING


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
        self._parser = ResponseParser(self._known_head)
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
        parser.feed(data)
        try:
            told = parser.next()
            while told is not _NOTHING:
                self._heard(told, parser)
                told = parser.next()
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

    def _heard(self, told: Told, parser: ResponseParser) -> None:
        reader = self._reader
        assert reader is not None, "a parser that nobody reads from is stopped"
        if told is _PIECE:
            reader.on_body(parser.piece)
        elif told is _HEAD:
            assert parser.head is not None, "it was told of"
            reader.on_head(parser.head)
        else:  # the response is complete
            self.reusable = self.reusable and parser.keeps_alive
            self._let_go()
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
