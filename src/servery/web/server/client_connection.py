"""One client's connection: requests come in one after another, responses go out in the same order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final, cast

from servery.core.errors import InvalidRequest, RequestTimeout, ServeryError
from servery.core.write_turn import Outbox, WriteTurn
from servery.web.openai.errors import error_body
from servery.web.server.http_request import HttpRequest
from servery.web.server.request_parser import RequestParser
from servery.web.server.response_headers import JSON, refusal_headers
from servery.web.server.response_writer import ResponseWriter
from servery.web.server.server_limits import ServerLimits
from servery.web.server.write_pressure import WritePressure

Handler = Callable[[HttpRequest, ResponseWriter, WritePressure, asyncio.Task[None]], Awaitable[None]]
"""Serves one request in a task, which is cancelled when the client goes away."""


class _Phase(Enum):
    """What a connection is waiting for, which decides how long it may wait."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    RESPONSE = auto()
    LINGERING = auto()
    CLOSING = auto()


# Looked up for each request; from its class a member comes a good deal slower.
_IDLE: Final = _Phase.IDLE
_RESPONSE: Final = _Phase.RESPONSE


class ClientConnection(asyncio.Protocol):
    """Parses requests, serves them one at a time, and enforces limits. The listener calls ``sweep`` once a second."""

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        turn: WriteTurn,
        *,
        on_open: Callable[["ClientConnection"], bool],
        on_close: Callable[["ClientConnection"], None],
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._turn = turn
        self._on_open = on_open
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outbox: Outbox | None = None
        self._parser = RequestParser(limits, on_head=self._head_came, on_request=self._request_came)
        self._pressure = WritePressure()
        self._waiting: deque[HttpRequest] = deque()
        self._task: asyncio.Task[None] | None = None  # one for all requests, because making one is dear
        self._task_began = False
        self._is_serving = False
        self._call: asyncio.Future[HttpRequest] | None = None  # what the task waits for when it has served all
        self._refused: ServeryError | None = None
        self._phase = _Phase.IDLE
        self._phase_since_s = self._loop.time()
        self._closing = False

    # What the listener calls

    def close_when_idle(self) -> None:
        """Take no further request; close once the one being served is over."""
        self._closing = True
        if not self._is_serving:
            self._close()

    def cut_off(self) -> None:
        """Stop what is being served. Its handler, which is cancelled, may say the last word; then close."""
        if not self._is_serving:
            return
        self._waiting.clear()
        if self._task_began and self._task is not None:
            self._task.cancel()
        else:  # nor does a task begin that was cancelled before
            self.abort()

    def abort(self) -> None:
        """Close now, whatever is going on. A handler that goes on though its client is gone is cancelled again: what it
        waited for may have taken the cancellation for its own."""
        if self._transport is not None:
            self._transport.abort()
        elif self._task is not None:
            self._task.cancel()

    def sweep(self, now_s: float) -> None:
        """Close the connection if its client has taken too long for what it is doing."""
        waited_s = now_s - self._phase_since_s
        limits = self._limits
        if self._pressure.held_s(now_s) > limits.write_stall_timeout_s:
            self.abort()
        elif self._phase is _Phase.IDLE and waited_s > limits.idle_timeout_s:
            self._close()
        elif self._phase is _Phase.HEAD and waited_s > limits.header_timeout_s:
            self._refuse(RequestTimeout("the request's headers did not arrive in time"))
        elif self._phase is _Phase.BODY and waited_s > limits.body_timeout_s:
            self._refuse(RequestTimeout("the request's body did not arrive in time"))
        elif self._phase is _Phase.LINGERING and waited_s > limits.linger_s:
            self._close()
        elif self._phase is _Phase.CLOSING and waited_s > limits.write_stall_timeout_s:
            self.abort()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not of asyncio's classes
        peer = transport.get_extra_info("peername")
        self._parser.client = (str(peer[0]), int(peer[1])) if peer else None
        self._outbox = Outbox(self._transport, self._turn)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        if not self._on_open(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._refused is not None or self._closing:
            return
        try:
            self._parser.feed(data)
        except ServeryError as error:
            self._refuse(error)
        else:
            if self._phase is _IDLE:  # no head is whole yet
                self._enter(_Phase.HEAD)

    def eof_received(self) -> bool:
        """A client that closes its sending side is gone: a closed socket looks the same, and an engine must not go on
        generating for nobody."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        if not self._task_began:  # nor does one begin that was cancelled before
            self._on_close(self)

    def pause_writing(self) -> None:
        self._pressure.on(now_s=self._loop.time())

    def resume_writing(self) -> None:
        self._pressure.off()

    # What the parser calls

    def _head_came(self, waits: bool) -> None:  # noqa: FBT001 - the parser's callback
        """Invite the body of a client that waits for it; not in the middle of another request's response: that client
        then sends its body uninvited, a little later."""
        if waits and not self._is_serving and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._enter(_Phase.BODY)

    def _request_came(self, request: HttpRequest) -> None:
        if not self._is_serving:
            self._serve(request)
        elif len(self._waiting) < self._limits.pipelined_requests:
            self._waiting.append(request)
        else:
            raise InvalidRequest("too many requests sent at once on one connection")
        self._phase = _RESPONSE  # which may take any time

    # Its own

    def _serve(self, request: HttpRequest) -> None:
        self._is_serving = True
        if self._task is None:
            self._task = self._loop.create_task(self._serve_all(request))
        else:
            assert self._call is not None, "who serves nothing waits for a call"
            self._call.set_result(request)

    async def _serve_all(self, request: HttpRequest) -> None:
        """One request after another, until the connection is over."""
        self._task_began, task = True, self._task
        assert task is not None, "it is that in which this runs"
        try:
            while (outbox := self._open_outbox()) is not None:
                writer = self._writer(request, outbox)
                try:
                    await self._handler(request, writer, self._pressure, task)
                finally:
                    self._after(writer)
                if self._waiting:
                    request = self._waiting.popleft()
                elif self._open_outbox() is not None:
                    self._call = self._loop.create_future()
                    request = await self._call
        finally:
            self._task_is_over()

    def _open_outbox(self) -> Outbox | None:
        """None once the client is gone. To be asked after each response, too: of a cancellation for two reasons a
        handler may have heard of the other."""
        return None if self._transport is None else self._outbox

    def _task_is_over(self) -> None:
        self._task = self._call = None
        self._task_began = False
        if self._transport is None:
            self._on_close(self)
        elif self._waiting:  # a fault of ours must not take the connection's other requests with it
            self._serve(self._waiting.popleft())

    def _writer(self, request: HttpRequest, outbox: Outbox) -> ResponseWriter:
        head = request.head
        return ResponseWriter(
            outbox,
            keep_alive=head.keep_alive and not self._closing,
            http_version=head.http_version,
            head_only=head.method == "HEAD",
        )

    def _after(self, writer: ResponseWriter) -> None:
        """A response is over."""
        if self._transport is not None:
            self._go_on_after(writer)
        self._is_serving = bool(self._waiting)

    def _go_on_after(self, writer: ResponseWriter) -> None:
        if not writer.keeps_alive:
            self._close()
        elif self._waiting:
            self._send_rest()
        elif self._refused is not None:
            self._tell(self._refused)
        elif self._closing:
            self._close()
        elif self._phase is _RESPONSE:
            self._enter(_IDLE)

    def _refuse(self, error: ServeryError) -> None:
        """Something is wrong with the bytes themselves: answer once what came before is answered, and close."""
        self._refused = error
        if not self._is_serving:
            self._tell(error)

    def _tell(self, error: ServeryError) -> None:
        if self._transport is not None and self._outbox is not None:
            writer = ResponseWriter(self._outbox, keep_alive=False, http_version="1.1")
            writer.whole(error.status, JSON + refusal_headers(error), error_body(error, ""))
            self._send_rest()
            self._linger()

    def _send_rest(self) -> None:
        """What has been gathered goes out before anything else does."""
        if self._outbox is not None:
            self._outbox.flush()

    def _linger(self) -> None:
        """Nothing more is said, but what the client is still sending is read, and dropped: closing a socket with
        unread bytes in it would take the answer along."""
        self._closing = True
        self._enter(_Phase.LINGERING)
        if self._transport is not None and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def _close(self) -> None:
        self._send_rest()
        self._closing = True
        self._waiting.clear()
        self._enter(_Phase.CLOSING)
        if self._transport is not None:
            self._transport.close()

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self._phase_since_s = self._turn.now_s
