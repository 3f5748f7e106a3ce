"""The heads of engines' responses: read once they are whole, and not again when they come once more.

An engine sends the same head with each response but for the length of the body and, once a second, the date. So the
last one that was read is remembered, byte for byte:

    HTTP/1.1 200 OK ⏎ date: … ⏎ content-length: 1234 ⏎ content-type: application/json ⏎ ⏎ {"choices": …}
    |---------------- before ------------------|    |------------- after ------------|
"""

import re
from typing import Final

from servery.core.acyclic import acyclic

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.(?P<minor>[01]) (?P<status>[1-9]\d\d)(?: [^\r\n\0]*)?")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ?([0-9]{1,12})\r\n")
_DIGITS: Final = re.compile(rb"\d{1,15}")
_WITHOUT_BODY: Final = {204, 304}

Headers = dict[bytes, bytes]
"""By lower-case name; of several with one name the last."""


class NotHttp(Exception):
    """What came is no response of HTTP/1.1, or one that could be read in two ways."""


@acyclic
class ResponseHead:
    """``headers`` are without the body's length. ``length`` is None for a body that is chunked or ends with its
    connection. ``keeps_alive``: whether another response may follow, as far as the head tells. ``tells_events``: the
    body is a stream of events."""

    __slots__ = ("headers", "is_chunked", "keeps_alive", "length", "status", "tells_events")

    def __init__(
        self,
        status: int,
        headers: Headers,
        *,
        length: int | None,
        is_chunked: bool,
        keeps_alive: bool,
        tells_events: bool,
    ) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.is_chunked = is_chunked
        self.keeps_alive = keeps_alive
        self.tells_events = tells_events

    @property
    def ends_with_connection(self) -> bool:
        """Whether the body's end is told by nothing else."""
        return self.length is None and b"transfer-encoding" not in self.headers

    def with_length(self, length: int) -> "ResponseHead":
        """The same head with another length of the body."""
        return ResponseHead(
            self.status,
            self.headers,
            length=length,
            is_chunked=self.is_chunked,
            keeps_alive=self.keeps_alive,
            tells_events=self.tells_events,
        )


class KnownHead:
    """The last head that an engine's connections have read; they share one."""

    __slots__ = ("_after", "_before", "_head", "_length")

    def __init__(self) -> None:
        self._before = self._after = self._length = b""
        self._head: ResponseHead | None = None

    def begins(self, data: bytes, position: int) -> int:
        """Where the body begins if the head that stands at ``position`` is known, and then is ``head``; else 0."""
        begin = position + len(self._before)
        if self._head is None or data[position:begin] != self._before:
            return 0
        if not self._length:
            return begin
        end = begin + len(self._length)
        body = end + len(self._after)
        if data[end:body] != self._after:  # which begins with the line's end: a length of more digits, or of fewer
            end = data.find(b"\r", begin, begin + 13)
            body = end + len(self._after)
            if end < 0 or data[end:body] != self._after:
                return 0
        length = data[begin:end]
        if length != self._length:
            if not length.isdigit():
                return 0
            self._length, self._head = length, self._head.with_length(int(length))
        return body

    @property
    def head(self) -> ResponseHead:
        assert self._head is not None, "a head is known once one was read"
        return self._head

    def learn(self, text: bytes, head: ResponseHead) -> None:
        """``head`` was read from ``text``, which ends with an empty line."""
        found = _LENGTH.search(text)
        if found is None:
            self._before, self._length, self._after = text, b"", b""
            self._head = head if head.length is None else None
        else:
            self._before, self._length, self._after = text[: found.start(1)], found[1], text[found.end(1) :]
            # Where the length is told twice, or is not the body's, another number may not mean another length.
            is_plain = head.length == int(self._length) and _LENGTH.search(self._after) is None
            self._head = head if is_plain else None


def read_head(text: bytes) -> ResponseHead:
    """``text`` is without the empty line at its end. Raises NotHttp."""
    lines = text.split(b"\r\n")
    status, minor = (200, b"1") if lines[0] == b"HTTP/1.1 200 OK" else _status(lines[0])
    breaks = len(lines) - 1
    if text.count(b"\r") != breaks or text.count(b"\n") != breaks or b"\0" in text:
        raise NotHttp("no value of a header")
    headers = _headers(lines[1:])
    coding, told_length = headers.get(b"transfer-encoding"), headers.pop(b"content-length", None)
    if coding is not None and told_length is not None:
        raise NotHttp("a length and a transfer coding contradict each other")
    told = headers.get(b"connection", b"").lower()
    keeps_alive = b"close" not in told if minor == b"1" else b"keep-alive" in told
    is_chunked = coding is not None and coding.lower() == b"chunked"
    length = None if told_length is None else int(told_length)
    if status in _WITHOUT_BODY:
        length, is_chunked = 0, False
    if length is None and not is_chunked:
        keeps_alive = False
    return ResponseHead(
        status,
        headers,
        length=length,
        is_chunked=is_chunked,
        keeps_alive=keeps_alive,
        tells_events=b"event-stream" in headers.get(b"content-type", b""),
    )


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
        if not colon or not _NAME.fullmatch(name):
            raise NotHttp("no header")
        name, value = name.lower(), value.strip(b" \t")
        if name == b"content-length" and (not _DIGITS.fullmatch(value) or headers.get(name, value) != value):
            raise NotHttp("no length")
        if name == b"transfer-encoding" and name in headers:
            raise NotHttp("several transfer codings")
        headers[name] = value
    return headers
