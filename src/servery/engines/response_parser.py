"""Reads an engine's HTTP/1.1 response from the bytes of its connection.

Written for what engines send: heads are read once they are whole, and chunks that come one by one are not searched.
"""

import re
from collections.abc import Callable
from enum import Enum, auto

from servery.core.http_chunk import content_of

_HEAD_BYTES_MAX = 65_536
_LINE_BYTES_MAX = 8_192
_STATUS_LINE = re.compile(rb"HTTP/1\.(?P<minor>[01]) (?P<status>[1-9]\d\d)(?: [^\r\n\0]*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_WITHOUT_BODY = {204, 304}
_USUAL_NAMES = frozenset(
    {b"Content-Type", b"content-type", b"Content-Length", b"content-length", b"date", b"server", b"Transfer-Encoding"}
)
_OK = b"HTTP/1.1 200 OK\r\n"

Headers = dict[bytes, bytes]
"""By lower-case name; of several with one name the last."""


class NotHttp(Exception):
    """What came is no response of HTTP/1.1, or one that could be read in two ways."""


class _Part(Enum):
    """What the next byte belongs to."""

    HEAD = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    COUNTED_BODY = auto()
    UNTIL_CLOSED = auto()
    OVER = auto()


# Looked up many times for each response; from its class a member comes a good deal slower.
_HEAD, _CHUNK_SIZE, _CHUNK, _CHUNK_END, _TRAILERS, _COUNTED_BODY, _UNTIL_CLOSED, _OVER = _Part


class ResponseParser:
    """Fed with all bytes that follow one request. ``on_head`` is called with status and headers, ``on_body`` with each
    piece of the body, ``on_end`` when the response is complete: never where a body ends with its connection.

    ``keeps_alive`` tells at the end whether the connection may carry another request. After ``stop`` nothing more is
    called.
    """

    __slots__ = ("_left", "_on_body", "_on_end", "_on_head", "_part", "_rest", "keeps_alive")

    def __init__(
        self,
        *,
        on_head: Callable[[int, Headers], None],
        on_body: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._on_head = on_head
        self._on_body = on_body
        self._on_end = on_end
        self._part = _HEAD
        self._left = 0
        self._rest = b""
        self.keeps_alive = False

    def stop(self) -> None:
        self._part = _OVER
        self._rest = b""

    @property
    def is_between_chunks(self) -> bool:
        """Whether the next byte begins a chunk, as far as has been fed."""
        return self._part is _CHUNK_SIZE and not self._rest

    def feed(self, data: bytes) -> None:
        """Raises NotHttp, and whatever the callbacks raise."""
        if self.is_between_chunks and (piece := content_of(data)) is not None:
            self._on_body(piece)
            return
        if self._rest:
            data = self._rest + data
            self._rest = b""
        position = 0
        while position < len(data) and self._part is not _OVER:
            position = self._step(data, position)

    def _step(self, data: bytes, position: int) -> int:
        """Read one part, as far as it is there; returns where the next begins."""
        part = self._part
        if part is _HEAD:
            return self._head(data, position)
        if part is _CHUNK_SIZE:
            return self._chunk_size(data, position)
        if part is _COUNTED_BODY or part is _CHUNK:
            return self._counted(data, position)
        if part is _CHUNK_END:
            return self._chunk_end(data, position)
        if part is _TRAILERS:
            return self._trailer(data, position)
        return self._uncounted(data, position)

    def _head(self, data: bytes, position: int) -> int:
        end = data.find(b"\r\n\r\n", position)
        if end < 0:
            # What cannot begin a response is refused at once, not when it has grown large.
            if not b"HTTP/1.".startswith(data[position : position + 7]):
                raise NotHttp("no response of HTTP/1.1")
            return self._wait(data, position, at_most=_HEAD_BYTES_MAX)
        head = data[position:end]
        lines = head.split(b"\r\n")
        status, minor = (200, b"1") if data.startswith(_OK, position) else _status(lines[0])
        if status >= 200:
            breaks = len(lines) - 1
            if head.count(b"\r") != breaks or head.count(b"\n") != breaks or b"\0" in head:
                raise NotHttp("no value of a header")
            self._begin_body(status, _headers(lines[1:]), minor=minor)
        return end + 4

    def _begin_body(self, status: int, headers: Headers, *, minor: bytes) -> None:
        coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
        if coding is not None and length is not None:
            raise NotHttp("a length and a transfer coding contradict each other")
        told = headers.get(b"connection", b"").lower()
        self.keeps_alive = b"close" not in told if minor == b"1" else b"keep-alive" in told
        if status in _WITHOUT_BODY:
            self._left, self._part = 0, _COUNTED_BODY
        elif coding is not None and coding.lower() == b"chunked":
            self._part = _CHUNK_SIZE
        elif coding is None and length is not None:
            self._left, self._part = int(length), _COUNTED_BODY
        else:
            self._part, self.keeps_alive = _UNTIL_CLOSED, False
        self._on_head(status, headers)
        if self._part is _COUNTED_BODY and self._left == 0:
            self._end(is_last=True)

    def _chunk_size(self, data: bytes, position: int) -> int:
        """Read a chunk's size, and the chunk where all of it is there."""
        line_end = data.find(b"\r\n", position)
        if line_end < 0:
            return self._wait(data, position, at_most=_LINE_BYTES_MAX)
        found = _SIZE.fullmatch(data, position, line_end)
        if found is None:
            raise NotHttp("no size of a chunk")
        size, begin = int(found[1], 16), line_end + 2
        if size and data.startswith(b"\r\n", begin + size):
            self._on_body(data[begin : begin + size])
            return begin + size + 2
        self._left = size
        self._part = _CHUNK if size else _TRAILERS
        return begin

    def _counted(self, data: bytes, position: int) -> int:
        """As much of a chunk, or of a body whose length is known, as is there."""
        piece = data[position : position + self._left]
        self._left -= len(piece)
        end = position + len(piece)
        is_chunk = self._part is _CHUNK
        if is_chunk and self._left == 0:
            self._part = _CHUNK_END
        self._on_body(piece)
        if self._part is _COUNTED_BODY and self._left == 0:
            self._end(is_last=end == len(data))
        return end

    def _uncounted(self, data: bytes, position: int) -> int:
        if self._part is not _OVER:
            self._on_body(data[position:])
        return len(data)

    def _chunk_end(self, data: bytes, position: int) -> int:
        if data[position : position + 2] == b"\r\n":
            self._part = _CHUNK_SIZE
            return position + 2
        if data[position:] == b"\r":
            return self._wait(data, position, at_most=1)
        raise NotHttp("a chunk is longer than its size")

    def _trailer(self, data: bytes, position: int) -> int:
        """One line after the last chunk; the empty one is the end."""
        end = data.find(b"\r\n", position)
        if end < 0:
            return self._wait(data, position, at_most=_LINE_BYTES_MAX)
        if end == position:
            self._end(is_last=end + 2 == len(data))
        return end + 2

    def _end(self, *, is_last: bool) -> None:
        """What follows a response answers no request: its connection is not used again."""
        self.stop()
        self.keeps_alive = self.keeps_alive and is_last
        self._on_end()

    def _wait(self, data: bytes, position: int, *, at_most: int) -> int:
        """Keep what is there until more comes."""
        if len(data) - position > at_most:
            raise NotHttp("a line or a head without an end")
        self._rest = data[position:]
        return len(data)


def _status(line: bytes) -> tuple[int, bytes]:
    """The status, and the second digit of HTTP's version."""
    began = _STATUS_LINE.fullmatch(line)
    if began is None:
        raise NotHttp("no response of HTTP/1.1")
    if began["status"] == b"101":
        raise NotHttp("another protocol was not asked for")
    return int(began["status"]), began["minor"]


def _headers(lines: list[bytes]) -> Headers:
    """Of lines without a stray end of line in them."""
    headers: Headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or (name not in _USUAL_NAMES and not _NAME.fullmatch(name)):
            raise NotHttp("no header")
        name, value = name.lower(), value.strip(b" \t")
        if name == b"content-length" and (not value.isdigit() or headers.get(name, value) != value):
            raise NotHttp("no length")
        if name == b"transfer-encoding" and name in headers:
            raise NotHttp("several transfer codings")
        headers[name] = value
    return headers
