"""The head of a connection's last request. A client sends the same with each request but for the length of the body,
so one that has been parsed, byte for byte, need not be parsed again.

    POST /v1/chat/completions HTTP/1.1 ⏎ Host: … ⏎ Content-Length: 1234 ⏎ Authorization: … ⏎ ⏎ {"model": …}
    |------------------------- before -------------------------|    |------- after -------|
"""

import re

from servery.web.server.http_request import HttpRequest, RequestHead

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ?([0-9]{1,12})\r\n")
_NOT_REPEATED = frozenset({b"transfer-encoding", b"expect", b"upgrade"})


class RepeatedHead:
    """Kept by the connection it belongs to, as long as that lasts: a head holds a secret."""

    __slots__ = ("_after", "_before", "_head", "_length")

    def __init__(self, before: bytes, length: bytes, after: bytes, head: RequestHead) -> None:
        self._before = before
        self._length = length
        self._after = after
        self._head = head

    def request(self, data: bytes, client: tuple[str, int] | None, *, most_bytes: int) -> HttpRequest | None:
        """What ``data`` asks if it is this head once more and its whole body, of ``most_bytes`` at most; else None."""
        if not data.startswith(self._before):
            return None
        begin = len(self._before)
        end = data.find(b"\r", begin)
        length, body_begin = data[begin:end], end + len(self._after)
        if not (data.startswith(self._after, end) and length.isdigit()):
            return None
        if int(length) != len(data) - body_begin or len(data) - body_begin > most_bytes:
            return None
        if length != self._length:
            self._length, self._head = length, self._head.with_length(length)
        return HttpRequest(self._head, data[body_begin:], client)


def repeated_head(data: bytes, request: HttpRequest) -> RepeatedHead | None:
    """The head of ``request``, which has been parsed from the last bytes of ``data``; None unless ``data`` is that
    request and nothing else, and its head says nothing that has to be looked at each time."""
    head = request.head
    end = data.find(b"\r\n\r\n")
    found = _LENGTH.search(data, 0, end + 2)
    names = [name for name, _ in head.headers]
    if end < 0 or found is None or not head.keep_alive:
        return None
    if names.count(b"content-length") != 1 or not _NOT_REPEATED.isdisjoint(names):
        return None
    if len(data) != end + 4 + int(found[1]) or data[end + 4 :] != request.body:
        return None
    return RepeatedHead(data[: found.start(1)], found[1], data[found.end(1) : end + 4], head)
