"""The head of a connection's last request. A client sends the same with each request but for the length of the body,
and a proxy the same but for its clients' keys, so one that has been parsed, byte for byte, need not be parsed again.

    POST /v1/chat/completions HTTP/1.1 ⏎ Host: … ⏎ Content-Length: 1234 ⏎ Authorization: Bearer abcd ⏎ ⏎ {"model": …}
    |------------------------ before -------------------------|    |------- between -------|    |after|

The key may come before the length, or not at all.
"""

import re
from typing import Final

from servery.core.digits import digits
from servery.web.server.http_request import KEY_NAMES, HttpRequest, RequestHead

_LENGTH_DIGITS: Final = 12
_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ?([0-9]{1,%d})\r\n" % _LENGTH_DIGITS)
_KEY: Final = re.compile(rb"\r\n([Aa]uthorization|[Xx]-[Aa][Pp][Ii]-[Kk][Ee][Yy]): ?((?:[A-Za-z]+ )?[!-~]+)\r\n")
_KEY_VALUE: Final = re.compile(rb"(?:[A-Za-z]+ )?[!-~]+")
_CARRIAGE_RETURN: Final = 13
_NOT_REPEATED: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade"})


class RepeatedHead:
    """Kept by the connection it belongs to, as long as that lasts: a head holds a secret.

    ``parts``: what does not change, before, between and after what does. ``key``: the header that holds it, and its
    value; another key is read here only if it is as long. Most often it is the same, and all but the length is compared
    in two pieces, which are ``_start`` and ``_rest``.
    """

    __slots__ = (
        "_after",
        "_before",
        "_between",
        "_head",
        "_key",
        "_key_bytes",
        "_key_first",
        "_key_name",
        "_length",
        "_rest",
        "_start",
    )

    def __init__(
        self,
        parts: tuple[bytes, bytes, bytes],
        head: RequestHead,
        *,
        length: bytes,
        key: tuple[bytes, bytes],
        key_first: bool,
    ) -> None:
        self._before, self._between, self._after = parts
        self._head = head
        self._length = length
        self._key_name, self._key = key
        self._key_bytes = len(self._key)
        self._key_first = key_first
        self._start = self._rest = b""
        self._keep_key()

    def request(self, data: bytes, client: tuple[str, int] | None, *, most_bytes: int) -> HttpRequest | None:
        """What ``data`` asks if it is this head once more and its whole body, of ``most_bytes`` at most; else None."""
        if data.startswith(self._start):
            begin = len(self._start)
            end = self._length_end(data, begin)
            body_begin = end + len(self._rest)
            if data[end:body_begin] == self._rest:
                body_bytes = len(data) - body_begin
                if body_bytes > most_bytes or not self._has_length(data[begin:end], body_bytes):
                    return None
                return HttpRequest(self._head, data[body_begin:], client)
        return self._with_other_key(data, client, most_bytes=most_bytes)

    def _with_other_key(self, data: bytes, client: tuple[str, int] | None, *, most_bytes: int) -> HttpRequest | None:
        begin = len(self._before)
        if data[:begin] != self._before:
            return None
        end = begin + self._key_bytes if self._key_first else self._length_end(data, begin)
        second = end + len(self._between)
        if data[end:second] != self._between:
            return None
        second_end = self._length_end(data, second) if self._key_first else second + self._key_bytes
        body_begin = second_end + len(self._after)
        if data[second_end:body_begin] != self._after:
            return None
        length, key = data[begin:end], data[second:second_end]
        if self._key_first:
            length, key = key, length
        body_bytes = len(data) - body_begin
        if _KEY_VALUE.fullmatch(key) is None:
            return None
        if body_bytes > most_bytes or not self._has_length(length, body_bytes):
            return None
        self._key, self._head = key, self._head.with_value(self._key_name, key)
        self._keep_key()
        return HttpRequest(self._head, data[body_begin:], client)

    def _keep_key(self) -> None:
        if self._key_first:
            self._start, self._rest = b"%b%b%b" % (self._before, self._key, self._between), self._after
        else:
            self._start, self._rest = self._before, b"%b%b%b" % (self._between, self._key, self._after)

    def _has_length(self, length: bytes, body_bytes: int) -> bool:
        """Whether that is what the ``length`` says, which then is the head's."""
        if length != digits(body_bytes):
            return False
        if length != self._length:
            self._length, self._head = length, self._head.with_value(b"content-length", length)
        return True

    def _length_end(self, data: bytes, begin: int) -> int:
        """Where a length ends: most have as many digits as the last."""
        end = begin + len(self._length)
        return end if end < len(data) and data[end] == _CARRIAGE_RETURN else data.find(b"\r", begin)


class LoneHead:
    """A head that came with its body and nothing else. Many a connection brings no second one, so what makes it easy to
    recognize is made when something follows."""

    __slots__ = ("_bytes", "_head")

    def __init__(self, head_bytes: bytes, head: RequestHead) -> None:
        self._bytes = head_bytes
        self._head = head

    def to_repeat(self) -> RepeatedHead | None:
        """None when the head says something that has to be looked at each time."""
        data, head = self._bytes, self._head
        found = _LENGTH.search(data)
        names = [name for name, _ in head.headers]
        if found is None or not head.keep_alive:
            return None
        if names.count(b"content-length") != 1 or not _NOT_REPEATED.isdisjoint(names):
            return None
        begin, stop = found.span(1)
        keyed = _KEY.search(data) if sum(names.count(name) for name in KEY_NAMES) == 1 else None
        if keyed is None:
            parts = data[:begin], data[stop:], b""
            return RepeatedHead(parts, head, length=found[1], key=(b"", b""), key_first=False)
        first, last = sorted([(begin, stop), keyed.span(2)])
        parts = data[: first[0]], data[first[1] : last[0]], data[last[1] :]
        key = keyed[1].lower(), keyed[2]
        return RepeatedHead(parts, head, length=found[1], key=key, key_first=first[0] != begin)


def lone_head(data: bytes, request: HttpRequest) -> LoneHead | None:
    """The head of ``request``, which has been parsed from the last bytes of ``data``; None unless ``data`` is that
    request and nothing else."""
    begin = data.find(b"\r\n\r\n") + 4
    if begin < 4 or len(data) - begin != len(request.body) or not data.endswith(request.body):
        return None
    return LoneHead(data[:begin], request.head)
