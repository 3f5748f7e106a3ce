"""Reads an engine's HTTP/1.1 response from the bytes of its connection.

Written for what engines send: heads are read once they are whole, and chunks that come one by one are not searched.
"""

import re
from enum import Enum, auto
from typing import Final

from servery.core.acyclic import acyclic
from servery.core.http_chunk import content_of, size_of
from servery.engines.response_head import KnownHead, NotHttp, ResponseHead, read_head

_HEAD_BYTES_MAX: Final = 65_536
_LINE_BYTES_MAX: Final = 8_192
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")


_CR: Final = ord("\r")
_LF: Final = ord("\n")


class Told(Enum):
    """What ``ResponseParser.next`` has found: a whole head, a piece of the body, the response's end; or that more bytes
    are needed, or wanted by nobody."""

    HEAD = auto()
    PIECE = auto()
    END = auto()
    NOTHING = auto()


class _Part(Enum):
    """What the next byte belongs to. ``ENDED``: to no response; that this one is complete has not been told yet."""

    HEAD = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    COUNTED_BODY = auto()
    UNTIL_CLOSED = auto()
    ENDED = auto()
    OVER = auto()


# Looked up many times for each response; from its class a member comes a good deal slower.
_TOLD_HEAD: Final = Told.HEAD
_TOLD_PIECE: Final = Told.PIECE
_TOLD_END: Final = Told.END
_TOLD_NOTHING: Final = Told.NOTHING
_HEAD: Final = _Part.HEAD
_CHUNK_SIZE: Final = _Part.CHUNK_SIZE
_CHUNK: Final = _Part.CHUNK
_CHUNK_END: Final = _Part.CHUNK_END
_TRAILERS: Final = _Part.TRAILERS
_COUNTED_BODY: Final = _Part.COUNTED_BODY
_UNTIL_CLOSED: Final = _Part.UNTIL_CLOSED
_ENDED: Final = _Part.ENDED
_OVER: Final = _Part.OVER


@acyclic
class ResponseParser:
    """Fed with all bytes that follow one request; ``next`` tells what they are, one after the other, until it tells
    nothing. ``head`` is the response's, ``piece`` the piece of the body that was told of last. Of a body that ends with
    its connection no end is told.

    ``keeps_alive`` tells at the end whether the connection may carry another request. After ``stop`` nothing more is
    told.
    """

    __slots__ = ("_data", "_known", "_left", "_part", "_position", "_rest", "head", "keeps_alive", "piece")

    def __init__(self, known: KnownHead) -> None:
        self._known = known
        self._part = _HEAD
        self._data = b""
        self._position = 0
        self._left = 0
        self._rest = b""
        self.head: ResponseHead | None = None
        self.piece = b""
        self.keeps_alive = False

    def stop(self) -> None:
        self._part = _OVER
        self._data = self._rest = b""
        self._position = 0

    @property
    def is_between_chunks(self) -> bool:
        """Whether the next byte begins a chunk, as far as has been fed."""
        return self._part is _CHUNK_SIZE and not self._rest

    def feed(self, data: bytes) -> None:
        """All that was fed before has been told of."""
        if self._part is _OVER:
            return
        if self._rest:
            data = self._rest + data
            self._rest = b""
        self._data = data
        self._position = 0

    def next(self) -> Told:
        """Raises NotHttp."""
        data = self._data
        while self._part is not _ENDED and self._position < len(data):
            told = self._step(data, self._position)
            if told is not _TOLD_NOTHING:
                return told
        return self._end() if self._part is _ENDED else _TOLD_NOTHING

    def _step(self, data: bytes, position: int) -> Told:
        """Read one part, as far as it is there."""
        part = self._part
        if part is _HEAD:
            return self._read_head(data, position)
        if part is _CHUNK_SIZE:
            return self._chunk_size(data, position)
        if part is _COUNTED_BODY or part is _CHUNK:
            return self._counted(data, position)
        if part is _CHUNK_END:
            return self._chunk_end(data, position)
        if part is _TRAILERS:
            return self._trailer(data, position)
        assert part is _UNTIL_CLOSED, "who was stopped is asked no more"
        return self._tell(data[position:], len(data))

    def _tell(self, piece: bytes, position: int) -> Told:
        self.piece = piece
        self._position = position
        return _TOLD_PIECE

    def _read_head(self, data: bytes, position: int) -> Told:
        begin = self._known.begins(data, position)
        if begin:
            self._position = begin
            return self._begin_body(self._known.head)
        end = data.find(b"\r\n\r\n", position)
        if end < 0:
            # What cannot begin a response is refused at once, not when it has grown large.
            if not b"HTTP/1.".startswith(data[position : position + 7]):
                raise NotHttp("no response of HTTP/1.1")
            return self._wait(data, position, at_most=_HEAD_BYTES_MAX)
        head = read_head(data[position:end])
        self._position = end + 4
        if head.status < 200:
            return _TOLD_NOTHING
        self._known.learn(data[position : end + 4], head)
        return self._begin_body(head)

    def _begin_body(self, head: ResponseHead) -> Told:
        self.head = head
        self.keeps_alive = head.keeps_alive
        if head.is_chunked:
            self._part = _CHUNK_SIZE
        elif head.length is None:
            self._part = _UNTIL_CLOSED
        else:
            self._left = head.length
            self._part = _COUNTED_BODY if self._left else _ENDED
        return _TOLD_HEAD

    def _chunk_size(self, data: bytes, position: int) -> Told:
        """Read a chunk's size, and the chunk where all of it is there."""
        if position == 0 and (piece := content_of(data)) is not None:
            return self._tell(piece, len(data))
        line_end = _near_end(data, position)
        size = size_of(data[position:line_end])
        if size is None:
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                return self._wait(data, position, at_most=_LINE_BYTES_MAX)
            size = _size(data[position:line_end])
        begin = line_end + 2
        end = begin + size
        if size and data[end : end + 2] == b"\r\n":
            return self._tell(data[begin:end], end + 2)
        self._left = size
        self._part = _CHUNK if size else _TRAILERS
        self._position = begin
        return _TOLD_NOTHING

    def _counted(self, data: bytes, position: int) -> Told:
        """As much of a chunk, or of a body whose length is known, as is there."""
        piece = data[position : position + self._left]
        self._left -= len(piece)
        if self._left == 0:
            self._part = _CHUNK_END if self._part is _CHUNK else _ENDED
        return self._tell(piece, position + len(piece))

    def _chunk_end(self, data: bytes, position: int) -> Told:
        if data[position : position + 2] == b"\r\n":
            self._part = _CHUNK_SIZE
            self._position = position + 2
            return _TOLD_NOTHING
        if data[position:] == b"\r":
            return self._wait(data, position, at_most=1)
        raise NotHttp("a chunk is longer than its size")

    def _trailer(self, data: bytes, position: int) -> Told:
        """One line after the last chunk; the empty one is the end."""
        if data[position : position + 2] == b"\r\n":
            self._part = _ENDED
            self._position = position + 2
            return _TOLD_NOTHING
        end = data.find(b"\r\n", position)
        if end < 0:
            return self._wait(data, position, at_most=_LINE_BYTES_MAX)
        self._position = end + 2
        return _TOLD_NOTHING

    def _end(self) -> Told:
        """What follows a response answers no request: its connection is not used again."""
        self.keeps_alive = self.keeps_alive and self._position == len(self._data)
        self.stop()
        return _TOLD_END

    def _wait(self, data: bytes, position: int, *, at_most: int) -> Told:
        """Keep what is there until more comes."""
        if len(data) - position > at_most:
            raise NotHttp("a line or a head without an end")
        self._rest = data[position:]
        self._position = len(data)
        return _TOLD_NOTHING


def _near_end(data: bytes, position: int) -> int:
    """Where the line ends that begins there, if it has one byte to three, as nearly all sizes have; else ``position``.
    To look there costs a fraction of searching."""
    if position + 5 <= len(data):
        if data[position + 1] == _CR and data[position + 2] == _LF:
            return position + 1
        if data[position + 2] == _CR and data[position + 3] == _LF:
            return position + 2
        if data[position + 3] == _CR and data[position + 4] == _LF:
            return position + 3
    return position


def _size(line: bytes) -> int:
    found = _SIZE.fullmatch(line)
    if found is None:
        raise NotHttp("no size of a chunk")
    return int(found[1], 16)
