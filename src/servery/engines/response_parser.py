"""Reads an engine's HTTP/1.1 response from the bytes of its connection.

Written for what engines send: heads are read once they are whole, and chunks that come one by one are not searched.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from servery.core.http_chunk import content_of, size_of
from servery.engines.response_head import KnownHead, NotHttp, ResponseHead, read_head

_HEAD_BYTES_MAX: Final = 65_536
_LINE_BYTES_MAX: Final = 8_192
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")


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
_HEAD: Final = _Part.HEAD
_CHUNK_SIZE: Final = _Part.CHUNK_SIZE
_CHUNK: Final = _Part.CHUNK
_CHUNK_END: Final = _Part.CHUNK_END
_TRAILERS: Final = _Part.TRAILERS
_COUNTED_BODY: Final = _Part.COUNTED_BODY
_UNTIL_CLOSED: Final = _Part.UNTIL_CLOSED
_OVER: Final = _Part.OVER


class ResponseParser:
    """Fed with all bytes that follow one request. ``on_head`` is called when the head is whole, ``on_body`` with each
    piece of the body, ``on_end`` when the response is complete: never where a body ends with its connection.

    ``keeps_alive`` tells at the end whether the connection may carry another request. After ``stop`` nothing more is
    called.
    """

    __slots__ = ("_known", "_left", "_on_body", "_on_end", "_on_head", "_part", "_rest", "keeps_alive")

    def __init__(
        self,
        known: KnownHead,
        *,
        on_head: Callable[[ResponseHead], None],
        on_body: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._known = known
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
        begin = self._known.begins(data, position)
        if begin:
            self._begin_body(self._known.head)
            return begin
        end = data.find(b"\r\n\r\n", position)
        if end < 0:
            # What cannot begin a response is refused at once, not when it has grown large.
            if not b"HTTP/1.".startswith(data[position : position + 7]):
                raise NotHttp("no response of HTTP/1.1")
            return self._wait(data, position, at_most=_HEAD_BYTES_MAX)
        head = read_head(data[position:end])
        if head.status >= 200:
            self._known.learn(data[position : end + 4], head)
            self._begin_body(head)
        return end + 4

    def _begin_body(self, head: ResponseHead) -> None:
        self.keeps_alive = head.keeps_alive
        if head.is_chunked:
            self._part = _CHUNK_SIZE
        elif head.length is None:
            self._part = _UNTIL_CLOSED
        else:
            self._left, self._part = head.length, _COUNTED_BODY
        self._on_head(head)
        if self._part is _COUNTED_BODY and self._left == 0:
            self._end(is_last=True)

    def _chunk_size(self, data: bytes, position: int) -> int:
        """Read a chunk's size, and the chunk where all of it is there."""
        line_end = data.find(b"\r\n", position)
        if line_end < 0:
            return self._wait(data, position, at_most=_LINE_BYTES_MAX)
        begin, line = line_end + 2, data[position:line_end]
        size = size_of(line)
        if size is None:
            size = _unusual_size(line)
        end = begin + size
        if size and data[end : end + 2] == b"\r\n":
            self._on_body(data[begin:end])
            return end + 2
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


def _unusual_size(line: bytes) -> int:
    found = _SIZE.fullmatch(line)
    if found is None:
        raise NotHttp("no size of a chunk")
    return int(found[1], 16)
