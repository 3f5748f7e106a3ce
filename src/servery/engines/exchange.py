"""One request to one engine, from its first byte to its end, or to the moment it is aborted."""

import asyncio
from enum import Enum, auto
from typing import Final

from servery.core.errors import EngineBroke, EngineTimeout, EngineUnavailable, ServeryError
from servery.engines.answer_reader import (
    STREAMED,
    AnswerReader,
    BytesReader,
    EventSink,
    RefusalReader,
    StreamReader,
    WholeReader,
)
from servery.engines.asker import Asker
from servery.engines.connection import EngineConnection
from servery.engines.connections import Connections
from servery.engines.exchange_limits import ExchangeLimits
from servery.engines.message_reader import MessageStreamReader, WholeMessageReader
from servery.engines.passage import Passage
from servery.engines.response_head import NotHttp, ResponseHead
from servery.engines.response_reader import ResponseReader
from servery.engines.tally import Tally
from servery.engines.unreadable import UNREADABLE
from servery.engines.vectors_reader import VectorsReader
from servery.engines.whole_answer import WholeAnswer


class Expectation(Enum):
    """What the body of a 200 should be."""

    STREAM = auto()
    WHOLE = auto()
    VECTORS = auto()
    MESSAGE_STREAM = auto()
    WHOLE_MESSAGE = auto()
    BYTES = auto()


# Looked up for each request; from its class a member comes a good deal slower.
_STREAM: Final = Expectation.STREAM
_MESSAGE_STREAM: Final = Expectation.MESSAGE_STREAM


class Exchange(ResponseReader):
    """Sends one request and has its response read, within its time.

    States: waiting for the head, reading the body, over. ``answer`` resolves once, when all of it is there.
    ``asker`` hears when the head is there, whatever it says, and when a stream's first event is.
    """

    __slots__ = (
        "_allowed_s",
        "_asker",
        "_begun",
        "_computed",
        "_connection",
        "_expected",
        "_flows",
        "_frames",
        "_is_complete",
        "_is_stream",
        "_last",
        "_limits",
        "_loop",
        "_max_body_bytes",
        "_most_s",
        "_moved_s",
        "_opening",
        "_paused",
        "_reader",
        "_request",
        "_served_model",
        "_sink",
        "_tally",
        "_until_closed",
        "_wire",
        "answer",
    )

    def __init__(
        self,
        request: bytes,
        *,
        wire: Connections,
        last: bool,
        expected: Expectation,
        sink: EventSink,
        asker: Asker,
        tally: Tally,
        limits: ExchangeLimits,
        served_model: str = "",
        max_body_bytes: int | None = None,
        begun: str = "",
    ) -> None:
        self._loop = wire.loop
        self._request = request
        self._wire = wire
        self._last = last
        self._connection: EngineConnection | None = None
        self._opening: asyncio.Task[EngineConnection] | None = None
        self._expected = expected
        self._sink = sink
        self._asker = asker
        self._tally = tally
        self._limits = limits
        self._max_body_bytes = limits.max_body_bytes if max_body_bytes is None else max_body_bytes
        self._served_model = served_model
        self._begun = begun
        self._reader: AnswerReader | None = None
        self._until_closed = False
        self._is_complete = False
        self._paused = False
        self._flows = False
        self._tally.heard_s = self._moved_s = wire.now_s
        self._frames = self._computed = 0
        self._is_stream = expected is _STREAM or expected is _MESSAGE_STREAM
        self._allowed_s = limits.first_byte_timeout_s if self._is_stream else limits.whole_timeout_s
        self._most_s = max(self._allowed_s, limits.whole_timeout_s)
        self.answer: asyncio.Future[WholeAnswer] = self._loop.create_future()

    # What the owner calls

    def start(self) -> None:
        """Send the request on a kept connection, or on a new one once it is open; where none can be opened, ``answer``
        raises EngineUnavailable."""
        connection = self._wire.idle()
        if connection is None:
            self._open()
        else:
            self._send_on(connection)

    def abort(self) -> None:
        """Stop the engine now by closing its connection, unless the answer is complete. Nothing more reaches the
        sink, and awaiting ``answer`` raises CancelledError."""
        if self._is_complete:
            return
        if self.answer.done() and not self.answer.cancelled():
            self.answer.exception()  # looked at: whoever stops waiting just as it fails is not asked why
            return
        self.answer.cancel()  # cancelled already when the task that awaits it was: the engine must stop all the same
        self._close()

    def pause(self) -> None:
        """The client reads too slowly: stop reading, so that the engine is slowed down in turn. A complete answer has
        only the end of its body to come, which is read all the same."""
        if self.answer.done():
            return
        self._paused = self._tally.is_held_up = True
        if self._connection is not None:
            self._connection.pause_reading()

    def resume(self) -> None:
        self._paused = False
        self._tally.heard_s = self._moved_s = self._loop.time()
        if self._connection is not None:
            self._connection.resume_reading()

    # What the connection calls

    def on_head(self, head: ResponseHead) -> None:
        self._until_closed = head.ends_with_connection
        self._asker.answered()
        self._reader = self._new_reader() if head.status == 200 else self._refusal_reader(head)
        if head.status == 200 and self._is_stream and not head.tells_events:
            self._fail(EngineUnavailable("the engine that serves this model did not answer with a stream"))

    def on_body(self, piece: bytes) -> None:
        if self.answer.done() or self._reader is None:
            return
        if self._flows:
            self._tally.heard_s = self._loop.time()
        try:
            complete = self._reader.feed(piece)
        except ServeryError as error:
            self._fail(error)
        except UNREADABLE:
            self._fail(EngineBroke("the engine sent an event that is not understood"))
        else:
            if complete:
                if self._tally.is_cut:
                    self._close()  # the engine goes on
                self._end(STREAMED)
            elif not self._flows:
                self._come_nearer(self._reader)

    def passage(self) -> Passage | None:
        """The short way past ``on_body``, which may be taken until ``on_body`` is called again."""
        if self._reader is None or not self._flows or self.answer.done():
            return None
        return self._reader.passage()

    def on_complete(self) -> None:
        if self._paused:
            self.resume()  # a kept connection is read from
        connection, self._connection = self._connection, None
        if connection is not None:
            self._wire.keep(connection)
        if not self.answer.done():
            self._end_of_body()

    def on_lost(self, error: Exception | None) -> None:
        connection, self._connection = self._connection, None
        if self.answer.done():
            return
        if (
            self._reader is None
            and (error is None or isinstance(error, ConnectionError))
            and connection is not None
            and connection.exchanges > 1
        ):
            # A kept connection that the engine had closed in the meantime: the request was never read.
            self._open()
        elif error is not None and not isinstance(error, NotHttp | OSError):
            self._fail(error)  # a fault of ours in what the sink does, not the engine's
        elif isinstance(error, NotHttp):
            self._fail(EngineUnavailable("the engine that serves this model did not speak HTTP"))
        elif self._until_closed and error is None:
            self._end_of_body()
        elif self._reader is not None and not isinstance(self._reader, RefusalReader):
            self._fail(EngineBroke("the connection to the engine was lost before the answer was complete"))
        else:
            self._fail(EngineUnavailable("the connection to the engine was lost before it answered"))

    def on_time(self) -> None:
        """One timer serves all timeouts: it is set anew only when it fires, never for each event. So whether there
        was a token is seen a little late."""
        now_s, tally = self._loop.time(), self._tally
        if self._paused:
            tally.heard_s = self._moved_s = now_s
        elif tally.frames > self._frames:
            self._frames, self._moved_s = tally.frames, now_s
        if self._ends_s() > now_s:
            self._watch()
        elif self.answer.done():
            self._close()  # the answer was complete, but its connection never came to rest
        elif not self._flows:
            self._fail(EngineTimeout(f"the engine did not answer within {round(now_s - self._moved_s, 1):g} seconds"))
        elif tally.heard_s + self._allowed_s <= now_s:
            self._fail(EngineBroke(f"the engine fell silent for {self._allowed_s:g} seconds"))
        else:
            self._fail(EngineBroke(f"the engine said no more of its answer for {self._most_s:g} seconds"))

    # Its own

    def _send_on(self, connection: EngineConnection) -> None:
        self._connection = connection
        connection.send(self._request, self, last=self._last)
        connection.watch(self._ends_s())
        if self._paused:
            connection.pause_reading()

    def _open(self) -> None:
        self._opening = self._loop.create_task(self._wire.open())
        self._opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[EngineConnection]) -> None:
        if opening.cancelled():
            return
        error = opening.exception()
        if error is not None:
            self._fail(error)
        elif self.answer.done():
            opening.result().close()
        elif not opening.result().is_open:  # nobody would tell that it was lost before there was a reader
            opening.result().close()
            self._fail(EngineUnavailable("the connection to the engine was lost before it answered"))
        else:
            self._send_on(opening.result())

    def _refusal_reader(self, head: ResponseHead) -> AnswerReader:
        return RefusalReader(
            head.status,
            retry_after=head.headers.get(b"retry-after"),
            served_model=self._served_model,
            max_body_bytes=self._limits.max_refusal_bytes,
        )

    def _new_reader(self) -> AnswerReader:
        limits = self._limits
        match self._expected:
            case Expectation.WHOLE:
                return WholeReader(
                    tally=self._tally,
                    max_body_bytes=self._max_body_bytes,
                    plain=self._wire.plain_answers,
                    begun=self._begun,
                )
            case Expectation.VECTORS:
                return VectorsReader(tally=self._tally, max_body_bytes=self._max_body_bytes)
            case Expectation.STREAM:
                return StreamReader(
                    sink=self._sink,
                    asker=self._asker,
                    tally=self._tally,
                    max_event_bytes=limits.max_event_bytes,
                    served_model=self._served_model,
                )
            case Expectation.MESSAGE_STREAM:
                return MessageStreamReader(
                    sink=self._sink,
                    asker=self._asker,
                    tally=self._tally,
                    max_event_bytes=limits.max_event_bytes,
                    served_model=self._served_model,
                )
            case Expectation.WHOLE_MESSAGE:
                return WholeMessageReader(tally=self._tally, max_body_bytes=self._max_body_bytes)
            case Expectation.BYTES:
                return BytesReader(max_body_bytes=self._max_body_bytes)

    def _end_of_body(self) -> None:
        assert self._reader is not None, "a body ends after its head"
        try:
            self._end(self._reader.end())
        except ServeryError as error:
            self._fail(error)

    def _come_nearer(self, reader: AnswerReader) -> None:
        """Until the first token is there, all that an engine says has one time together: pings, and pieces of an answer
        that never becomes whole, do not make it any longer. Only a prompt of which more and more is computed does."""
        if reader.began:
            self._flow()
        elif self._tally.computed > self._computed:
            self._computed, self._tally.heard_s = self._tally.computed, self._loop.time()

    def _flow(self) -> None:
        """The first token is there: from now on each has its own time."""
        self._flows = True
        self._tally.heard_s = self._moved_s = self._loop.time()
        self._frames, self._allowed_s = self._tally.frames, self._limits.chunk_timeout_s
        self._most_s = max(self._allowed_s, self._limits.whole_timeout_s)
        self._watch()

    def _ends_s(self) -> float:
        """When it is over unless more is heard by then: some time after the last sign of life, and at most so long
        after the last that was one of the answer itself."""
        return min(self._tally.heard_s + self._allowed_s, self._moved_s + self._most_s)

    def _watch(self) -> None:
        if self._connection is not None:
            self._connection.watch(self._ends_s())

    def _end(self, answer: WholeAnswer) -> None:
        if self._paused:
            self.resume()
        self._is_complete = True
        self.answer.set_result(answer)

    def _fail(self, error: BaseException) -> None:
        self._close()
        if not self.answer.done():
            self.answer.set_exception(error)

    def _close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
