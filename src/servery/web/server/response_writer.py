"""Writes one HTTP response to a client."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from servery.core.digits import digits
from servery.core.http_chunk import size_line
from servery.core.write_turn import Outbox

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
} | {499: b"HTTP/1.1 499 Client Closed Request\r\n"}
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_KEPT: Final = b"\r\n"
_CLOSED: Final = b"connection: close\r\n\r\n"


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """(name, value) as the lines that go over the wire."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class ResponseWriter:
    """Either ``whole`` once, or ``start``, any number of ``write`` and ``end``. All of it goes into the connection's
    ``outbox``. After the client has gone, writing does nothing."""

    __slots__ = ("_chunked", "_head_only", "_keep_alive", "_outbox", "ended", "started")

    def __init__(
        self,
        outbox: Outbox,
        *,
        keep_alive: bool,
        http_version: str,
        head_only: bool = False,
    ) -> None:
        self._outbox = outbox
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
        self.whole_of(status, headers, b"", b"", body=body)

    def whole_of(self, status: int, first: bytes, second: bytes, third: bytes, *, body: bytes) -> None:
        """As ``whole``, with headers in three parts."""
        assert not self.started, "a response is written once"
        self.started = self.ended = True
        self._outbox.add(
            b"%b%b%b%bcontent-length: %b\r\n%b%b"
            % (
                _status_line(status),
                first,
                second,
                third,
                digits(len(body)),
                _KEPT if self._keep_alive else _CLOSED,
                b"" if self._head_only else body,
            )
        )

    def start(self, status: int, headers: bytes) -> None:
        """Begin a response whose length is not known. For an HTTP/1.0 client its end is the connection's."""
        assert not self.started, "a response is written once"
        self.started = True
        if self._chunked:
            headers = headers + _CHUNKED
        else:
            self._keep_alive = False
        self._outbox.add(_status_line(status) + headers + (_KEPT if self._keep_alive else _CLOSED))

    def write(self, data: bytes) -> None:
        if not data or self._head_only:
            return
        self._outbox.add(b"%b%b\r\n" % (size_line(len(data)), data) if self._chunked else data)

    def hold(self) -> None:
        """What was just written goes out with what is written next: with the end, a commit later."""
        self._outbox.hold()

    @property
    def box_of_chunks(self) -> Outbox | None:
        """Where whole chunks go in the place of ``write``; None where the response is not written in chunks."""
        return self._outbox if self._chunked and not self._head_only else None

    def end(self, data: bytes = b"") -> None:
        """Write ``data`` and finish."""
        assert self.started, "a response ends after it has started"
        assert not self.ended, "a response ends once"
        self.ended = True
        if self._head_only:
            return
        if not self._chunked:
            if data:
                self._outbox.add(data)
        elif data:
            self._outbox.add(b"%b%b\r\n0\r\n\r\n" % (size_line(len(data)), data))
        else:
            self._outbox.add(b"0\r\n\r\n")


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n".encode()
