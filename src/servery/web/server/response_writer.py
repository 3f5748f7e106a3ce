"""Writes one HTTP response to a client."""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

from servery.core.write_turn import WriteTurn

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus} | {
    499: b"HTTP/1.1 499 Client Closed Request\r\n"
}
_KEPT = b"\r\n"
_CLOSED = b"connection: close\r\n\r\n"


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """(name, value) as the lines that go over the wire."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class ResponseWriter:
    """Either ``whole`` once, or ``start``, any number of ``write`` and ``end``. All but a response's start is sent at
    the end of the event loop's turn, or by ``flush``. After the client has gone, writing does nothing."""

    __slots__ = ("_chunked", "_gathered", "_head_only", "_keep_alive", "_transport", "_turn", "ended", "started")

    def __init__(
        self,
        transport: asyncio.Transport,
        turn: WriteTurn,
        *,
        keep_alive: bool,
        http_version: str,
        head_only: bool = False,
    ) -> None:
        self._transport = transport
        self._turn = turn
        self._gathered = b""
        self._chunked = http_version != "1.0"
        self._keep_alive = keep_alive
        self._head_only = head_only
        self.started = False
        self.ended = False

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may carry another request after this response."""
        return self._keep_alive and self.ended

    def whole(self, status: int, headers: bytes, body: bytes) -> None:
        """``headers``: whole lines, each with its end."""
        assert not self.started, "a response is written once"
        self.started = self.ended = True
        self._gather(
            b"%b%bcontent-length: %d\r\n%b%b"
            % (
                _status_line(status),
                headers,
                len(body),
                _KEPT if self._keep_alive else _CLOSED,
                b"" if self._head_only else body,
            )
        )

    def start(self, status: int, headers: bytes) -> None:
        """Begin a response whose length is not known. For an HTTP/1.0 client its end is the connection's."""
        assert not self.started, "a response is written once"
        self.started = True
        if self._chunked:
            headers += b"transfer-encoding: chunked\r\n"
        else:
            self._keep_alive = False
        self._send(_status_line(status) + headers + (_KEPT if self._keep_alive else _CLOSED))

    def write(self, data: bytes) -> None:
        """Runs once per token, so ``_gather`` is written out."""
        if not data or self._head_only:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._gathered:
            self._gathered += data
        else:
            self._gathered = data
            self._turn.join(self)

    def flush(self) -> None:
        """Send what has been gathered."""
        if self._gathered:
            self._send(b"")

    def end(self, data: bytes = b"") -> None:
        """Write ``data`` and finish."""
        assert self.started, "a response ends after it has started"
        assert not self.ended, "a response ends once"
        self.ended = True
        if self._head_only:
            return
        if not self._chunked:
            self._gather(data)
        elif data:
            self._gather(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        else:
            self._gather(b"0\r\n\r\n")

    def _gather(self, data: bytes) -> None:
        if self._gathered:
            self._gathered += data
        elif data:
            self._gathered = data
            self._turn.join(self)

    def _send(self, data: bytes) -> None:
        """Behind what has been gathered."""
        gathered, self._gathered = self._gathered, b""
        if not self._transport.is_closing():
            self._transport.write(gathered + data if gathered else data)


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n".encode()
