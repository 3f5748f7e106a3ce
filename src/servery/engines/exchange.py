"""One request to one engine, from its first byte to its end, or to the moment it is aborted."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from servery.core.errors import EngineBroke, EngineTimeout, EngineUnavailable, ServeryError
from servery.engines.connection import EngineConnection
from servery.engines.event_splitter import EventSplitter
from servery.engines.refusal import break_from, refusal_from
from servery.engines.tally import ReportedUsage, Tally


class Wire(Protocol):
    """Where connections come from and go back to."""

    def idle(self) -> EngineConnection | None: ...

    async def open(self) -> EngineConnection: ...

    def keep(self, connection: EngineConnection) -> None: ...


EventSink = Callable[[bytes], None]
"""Takes the JSON of one engine event; called inside the connection's ``data_received``, so it must not block."""


class ExchangeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for an engine, and how much to take from it."""

    first_byte_timeout_s: float
    chunk_timeout_s: float
    max_event_bytes: int = 4 * 1024 * 1024
    max_body_bytes: int = 256 * 1024 * 1024


class _Progress(msgspec.Struct):
    total: int = 0
    cache: int = 0


class _Frame(msgspec.Struct):
    choices: list[msgspec.Raw] = []
    usage: ReportedUsage | None = None
    prompt_progress: _Progress | None = None


class _Timings(msgspec.Struct):
    prompt_ms: float | None = None


class _Whole(msgspec.Struct):
    usage: ReportedUsage | None = None
    timings: _Timings | None = None


_frames = msgspec.json.Decoder(_Frame)
_wholes = msgspec.json.Decoder(_Whole)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _is_opened(event: bytes) -> bool:
    """Whether the event holds what must be looked into. None of these can stand inside a JSON string, where quotes are
    escaped. Runs once per token, so it is written out."""
    return b'"usage":{' in event or b'"timings":' in event or b'"prompt_progress":' in event or b'"usage": {' in event


def _only_opens(event: bytes) -> bool:
    """Whether the event names the role and says nothing yet. Some engines name it again with each token."""
    return b'"role":"' in event and (b'"content":""' in event or b'"content":null' in event)


class Exchange:
    """Reads one response. Generated events of a stream go to ``sink``; what carries usage goes to ``tally``.

    States: waiting for the head, reading a 200's body (a stream or a whole), reading a refusal's body, over. ``answer``
    resolves once, with the body of a whole answer or with ``b""`` at the end of a stream. ``on_answer`` is called when
    the head is there, whatever it says.
    """

    def __init__(
        self,
        request: bytes,
        *,
        wire: Wire,
        last: bool,
        stream: bool,
        sink: EventSink,
        tally: Tally,
        limits: ExchangeLimits,
        served_model: str = "",
        on_answer: Callable[[], None] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._wire = wire
        self._last = last
        self._connection: EngineConnection | None = None
        self._again: asyncio.Task[None] | None = None
        self._stream = stream
        self._sink = sink
        self._tally = tally
        self._limits = limits
        self._served_model = served_model
        self._on_answer = on_answer
        self._splitter = EventSplitter(max_event_bytes=limits.max_event_bytes)
        self._status = 0
        self._retry_after: bytes | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._paused = False
        self._last_heard_s = self._loop.time()
        self._watch = self._loop.call_later(limits.first_byte_timeout_s, self._look)
        self.answer: asyncio.Future[bytes] = self._loop.create_future()

    # What the owner calls

    async def start(self) -> None:
        """Send the request on a kept connection, or on a new one. Raises EngineUnavailable when there is none."""
        self._send_on(self._wire.idle() or await self._wire.open())

    def abort(self) -> None:
        """Stop the engine now by closing its connection, unless the answer is complete. Nothing more reaches the
        sink, and awaiting ``answer`` raises CancelledError."""
        if self.answer.done() and not self.answer.cancelled():
            return
        self.answer.cancel()  # cancelled already when the task that awaits it was: the engine must stop all the same
        self._close()

    def pause(self) -> None:
        """The client reads too slowly: stop reading, so that the engine is slowed down in turn. A complete answer has
        only the end of its body to come, which is read all the same."""
        if self.answer.done():
            return
        self._paused = True
        if self._connection is not None:
            self._connection.pause_reading()

    def resume(self) -> None:
        self._paused = False
        self._last_heard_s = self._loop.time()
        if self._connection is not None:
            self._connection.resume_reading()

    # What the connection calls

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        self._status = status
        self._retry_after = headers.get(b"retry-after")
        self._last_heard_s = self._loop.time()
        if self._on_answer is not None:
            self._on_answer()
        if status == 200 and self._stream and b"event-stream" not in headers.get(b"content-type", b""):
            self._fail(EngineUnavailable("the engine that serves this model did not answer with a stream"))

    def on_body(self, piece: bytes) -> None:
        if self.answer.done():
            return
        self._last_heard_s = self._loop.time()
        if self._status == 200 and self._stream:
            try:
                for event in self._splitter.feed(piece):
                    self._take(event)
            except ServeryError as error:
                self._fail(error)
            except msgspec.MsgspecError:
                self._fail(EngineBroke("the engine sent an event that is not understood"))
            return
        self._body_bytes += len(piece)
        if self._body_bytes > self._limits.max_body_bytes:
            self._fail(EngineUnavailable("the engine that serves this model sent more than is taken"))
        else:
            self._body.append(piece)

    def on_complete(self) -> None:
        if self._paused:
            self.resume()  # a kept connection is read from
        connection, self._connection = self._connection, None
        if connection is not None:
            self._wire.keep(connection)
        if self.answer.done():
            self._watch.cancel()
            return
        body = b"".join(self._body)
        if self._status != 200:
            self._fail(refusal_from(self._status, body, retry_after=self._retry_after, served_model=self._served_model))
        elif self._stream:
            if self._tally.is_reported:
                self._end(b"")
            else:
                self._fail(EngineBroke("the engine ended the stream without saying that it was done"))
        else:
            self._end_whole(body)

    def on_lost(self, error: Exception | None) -> None:
        connection, self._connection = self._connection, None
        if self.answer.done():
            self._watch.cancel()
        elif (
            not self._status
            and (error is None or isinstance(error, ConnectionError))
            and connection is not None
            and connection.exchanges > 1
        ):
            # A kept connection that the engine had closed in the meantime: the request was never read.
            self._again = self._loop.create_task(self._send_anew())
        elif error is not None and not isinstance(error, ValueError | OSError):
            self._fail(error)  # a fault of ours in what the sink does, not the engine's
        elif isinstance(error, ValueError):
            self._fail(EngineUnavailable("the engine that serves this model did not speak HTTP"))
        elif self._status == 200:
            self._fail(EngineBroke("the connection to the engine was lost before the answer was complete"))
        else:
            self._fail(EngineUnavailable("the connection to the engine was lost before it answered"))

    # Its own

    def _send_on(self, connection: EngineConnection) -> None:
        self._connection = connection
        connection.send(self._request, self, last=self._last)
        if self._paused:
            connection.pause_reading()

    async def _send_anew(self) -> None:
        try:
            connection = await self._wire.open()
        except ServeryError as error:
            self._fail(error)
            return
        if self.answer.done():
            connection.close()
        else:
            self._send_on(connection)

    def _take(self, event: bytes) -> None:
        if self.answer.done():
            return
        if event == b"[DONE]":
            self._end(b"")
        elif _is_opened(event):
            self._open(event)
        elif event.startswith((b'{"error"', b'{ "error"')):
            self._fail(break_from(event, began=self._tally.frames > 0, served_model=self._served_model))
        elif event != b"null":
            if b'"finish_reason":"' not in event and not _only_opens(event):
                self._tally.frames += 1
            self._sink(event)

    def _open(self, event: bytes) -> None:
        frame = _frames.decode(event)
        if frame.usage is not None:
            self._tally.told_usage(frame.usage)
        if frame.prompt_progress is not None:
            progress = frame.prompt_progress
            self._tally.told_prompt(prompt_tokens=progress.total, cached_prompt_tokens=progress.cache)
        elif frame.choices:
            rest = _objects.decode(event)
            rest.pop("usage", None)
            rest.pop("timings", None)
            self._sink(msgspec.json.encode(rest))

    def _end_whole(self, body: bytes) -> None:
        if self._request.startswith(b"GET "):
            self._end(body)  # health and metrics are not JSON
            return
        try:
            whole = _wholes.decode(body)
        except msgspec.MsgspecError:
            self._fail(EngineUnavailable("the engine that serves this model did not answer with JSON"))
            return
        if whole.usage is not None:
            self._tally.told_usage(whole.usage)
        if whole.timings is not None and whole.timings.prompt_ms is not None:
            self._tally.prefill_s = whole.timings.prompt_ms / 1_000
        self._end(body)

    def _look(self) -> None:
        """One timer serves all timeouts: it is set anew only when it fires, never for each event."""
        allowed_s = self._limits.chunk_timeout_s if self._status else self._limits.first_byte_timeout_s
        left_s = self._last_heard_s + allowed_s - self._loop.time()
        if self._paused:
            left_s = allowed_s
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look)
        elif self.answer.done():
            self._close()  # the answer was complete, but its connection never came to rest
        elif self._status:
            self._fail(EngineBroke(f"the engine fell silent for {allowed_s:g} seconds"))
        else:
            self._fail(EngineTimeout(f"the engine did not answer within {allowed_s:g} seconds"))

    def _end(self, body: bytes) -> None:
        if self._paused:
            self.resume()
        if self._connection is None:
            self._watch.cancel()
        self.answer.set_result(body)

    def _fail(self, error: Exception) -> None:
        self._close()
        if not self.answer.done():
            self.answer.set_exception(error)

    def _close(self) -> None:
        self._watch.cancel()
        if self._again is not None:
            self._again.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
