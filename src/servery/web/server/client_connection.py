"""One client's connection: requests come in one after another, responses go out in the same order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import cast
from urllib.parse import urlsplit

import httptools

from servery.core.errors import InvalidRequest, PayloadTooLarge, RequestTimeout, ServeryError
from servery.web.openai.errors import error_body
from servery.web.server.http_request import HttpRequest
from servery.web.server.response_headers import JSON, refusal_headers
from servery.web.server.response_writer import ResponseWriter
from servery.web.server.server_limits import ServerLimits
from servery.web.server.write_pressure import WritePressure

Handler = Callable[[HttpRequest, ResponseWriter, WritePressure], Awaitable[None]]
"""Serves one request. It is cancelled when the client goes away."""

_OUT_OF_STEP = "the request is not HTTP/1.1 as this server reads it"


class _Phase(Enum):
    """What a connection is waiting for, which decides how long it may wait."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    RESPONSE = auto()
    LINGERING = auto()
    CLOSING = auto()


class ClientConnection(asyncio.Protocol):
    """Parses requests, serves them one at a time, and enforces limits. The listener calls ``sweep`` once a second."""

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        *,
        on_open: Callable[["ClientConnection"], bool],
        on_close: Callable[["ClientConnection"], None],
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._on_open = on_open
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._pressure = WritePressure()
        self._waiting: deque[HttpRequest] = deque()
        self._task: asyncio.Task[None] | None = None
        self._refused: ServeryError | None = None
        self._phase = _Phase.IDLE
        self._phase_since_s = self._loop.time()
        self._closing = False
        self._unseen_bytes = 0
        self._begin_message()

    # What the listener calls

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    def close_when_idle(self) -> None:
        """Take no further request; close once the one being served is over."""
        self._closing = True
        if self._task is None:
            self._close()

    def abort(self) -> None:
        """Close now, whatever is going on."""
        if self._transport is not None:
            self._transport.abort()

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
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        if not self._on_open(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._refused is not None or self._closing:
            return
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.HEAD)
        self._unseen_bytes += len(data)
        try:
            self._feed(data)
            self._check_unseen()
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, ServeryError) else InvalidRequest(_OUT_OF_STEP))
        except InvalidRequest as error:
            self._refuse(error)

    def eof_received(self) -> bool:
        """A client that closes its sending side is gone: a closed socket looks the same, and an engine must not go on
        generating for nobody."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        else:
            self._on_close(self)

    def pause_writing(self) -> None:
        self._pressure.on(now_s=self._loop.time())

    def resume_writing(self) -> None:
        self._pressure.off()

    # What the parser calls

    def on_message_begin(self) -> None:
        self._begin_message()

    def on_url(self, url: bytes) -> None:
        self._count_header(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_header(len(name) + len(value) + 4)
        if not self._head_is_whole:  # what follows a body could pass a proxy that looks at heads only
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._unseen_bytes = 0
        self._head_is_whole = True
        if self._parser.should_upgrade():
            return
        headers = dict(self._headers)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limits.max_body_bytes:
            raise self._too_large()
        if headers.get(b"expect", b"").lower() == b"100-continue":
            self._invite_body()
        self._enter(_Phase.BODY)

    def on_body(self, piece: bytes) -> None:
        self._unseen_bytes = 0
        if len(self._body) + len(piece) > self._limits.max_body_bytes:
            raise self._too_large()
        self._body += piece

    def on_message_complete(self) -> None:
        self._unseen_bytes = 0
        if self._parser.should_upgrade():
            return
        if len(self._waiting) >= self._limits.pipelined_requests:
            raise InvalidRequest("too many requests sent at once on one connection")
        self._waiting.append(self._finished_message())
        self._enter(_Phase.RESPONSE)
        if self._task is None:
            self._serve_next()

    # Its own

    def _begin_message(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._head_is_whole = False
        self._body = bytearray()

    def _feed(self, data: bytes) -> None:
        """Parse. A wish to change to another protocol is passed over, as HTTP allows: clients that prefer HTTP/2 send
        it with their first request. The parser stops there, so a new one is given the same head without the wish."""
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as wish:
                if self._parser.get_method() == b"CONNECT":
                    raise InvalidRequest("this server is no proxy") from None
                data = self._head_without_upgrade() + data[wish.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        version = self._parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), self._url, version)]
        lines += [b"%b: %b" % header for header in self._headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _check_unseen(self) -> None:
        """The parser gathers a header, or the line before a chunk, until it ends: that is bounded too."""
        if self._unseen_bytes > self._limits.max_header_bytes:
            raise self._head_too_large()

    def _invite_body(self) -> None:
        """Not in the middle of another request's response; the client then sends its body uninvited, a little later."""
        if self._task is None and self._transport is not None and self._parser.get_http_version() == "1.1":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._limits.max_header_bytes:
            raise self._head_too_large()

    def _head_too_large(self) -> InvalidRequest:
        return InvalidRequest(f"the request's headers are larger than {self._limits.max_header_bytes} bytes")

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"the request's body is larger than {self._limits.max_body_bytes} bytes")

    def _finished_message(self) -> HttpRequest:
        path, query = self._target()
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return HttpRequest(
            method=self._parser.get_method().decode("latin-1"),
            path=path.decode("latin-1"),
            query=query,
            headers=tuple(self._headers),
            body=bytes(self._body),
            http_version=self._parser.get_http_version(),
            keep_alive=self._parser.should_keep_alive(),
            client=(str(peer[0]), int(peer[1])) if peer else None,
        )

    def _target(self) -> tuple[bytes, bytes]:
        """Path and query. Only a target in absolute form has a host in it: ``//a/b`` is a path."""
        if self._url.startswith(b"/"):
            path, _, query = self._url.partition(b"?")
            return path, query
        try:
            parts = urlsplit(self._url)
        except ValueError:
            raise InvalidRequest(_OUT_OF_STEP) from None
        return parts.path or b"/", parts.query

    def _serve_next(self) -> None:
        request = self._waiting.popleft()
        self._task = self._loop.create_task(self._serve(request))

    async def _serve(self, request: HttpRequest) -> None:
        assert self._transport is not None, "requests come over an open connection"
        writer = ResponseWriter(
            self._transport,
            keep_alive=request.keep_alive and not self._closing,
            http_version=request.http_version,
            head_only=request.method == "HEAD",
        )
        try:
            await self._handler(request, writer, self._pressure)
        finally:
            self._task = None
            self._after(writer)

    def _after(self, writer: ResponseWriter) -> None:
        if self._transport is None:
            self._on_close(self)
        elif not writer.keeps_alive:
            self._close()
        elif self._waiting:
            self._serve_next()
        elif self._refused is not None:
            self._tell(self._refused)
        elif self._closing:
            self._close()
        elif self._phase is _Phase.RESPONSE:
            self._enter(_Phase.IDLE)

    def _refuse(self, error: ServeryError) -> None:
        """Something is wrong with the bytes themselves: answer once what came before is answered, and close."""
        self._refused = error
        if self._task is None:
            self._tell(error)

    def _tell(self, error: ServeryError) -> None:
        if self._transport is not None:
            writer = ResponseWriter(self._transport, keep_alive=False, http_version="1.1")
            writer.whole(error.status, (JSON, *refusal_headers(error)), error_body(error, ""))
            self._linger()

    def _linger(self) -> None:
        """Nothing more is said, but what the client is still sending is read, and dropped: closing a socket with
        unread bytes in it would take the answer along."""
        self._closing = True
        self._enter(_Phase.LINGERING)
        if self._transport is not None and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def _close(self) -> None:
        self._closing = True
        self._enter(_Phase.CLOSING)
        if self._transport is not None:
            self._transport.close()

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self._phase_since_s = self._loop.time()
