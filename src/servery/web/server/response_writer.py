"""Writes one HTTP response to a client."""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

Headers = Iterable[tuple[bytes, bytes]]

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus} | {
    499: b"HTTP/1.1 499 Client Closed Request\r\n"
}


class ResponseWriter:
    """Either ``whole`` once, or ``start``, any number of ``write`` and ``end``. After the client has gone, writing does
    nothing."""

    __slots__ = ("_chunked", "_head_only", "_keep_alive", "_transport", "ended", "started")

    def __init__(
        self, transport: asyncio.Transport, *, keep_alive: bool, http_version: str, head_only: bool = False
    ) -> None:
        self._transport = transport
        self._chunked = http_version != "1.0"
        self._keep_alive = keep_alive
        self._head_only = head_only
        self.started = False
        self.ended = False

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may carry another request after this response."""
        return self._keep_alive and self.ended

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        assert not self.started, "a response is written once"
        self.started = self.ended = True
        length = (b"content-length", str(len(body)).encode())
        head = self._head(status, (*headers, length))
        self._send(head if self._head_only else head + body)

    def start(self, status: int, headers: Headers) -> None:
        """Begin a response whose length is not known. For an HTTP/1.0 client its end is the connection's."""
        assert not self.started, "a response is written once"
        self.started = True
        if self._chunked:
            headers = (*headers, (b"transfer-encoding", b"chunked"))
        else:
            self._keep_alive = False
        self._send(self._head(status, headers))

    def write(self, data: bytes) -> None:
        if data and not self._head_only and not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self, data: bytes = b"") -> None:
        """Write ``data`` and finish."""
        assert self.started, "a response ends after it has started"
        assert not self.ended, "a response ends once"
        self.ended = True
        if self._head_only:
            return
        if not self._chunked:
            self._send(data)
        elif data:
            self._send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        else:
            self._send(b"0\r\n\r\n")

    def _head(self, status: int, headers: Headers) -> bytes:
        lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n".encode()]
        lines += [b"%b: %b\r\n" % header for header in headers]
        lines.append(b"\r\n" if self._keep_alive else b"connection: close\r\n\r\n")
        return b"".join(lines)

    def _send(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
