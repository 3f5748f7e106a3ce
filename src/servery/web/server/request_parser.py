"""Turns the bytes of a connection into requests, within limits."""

from collections.abc import Callable
from io import BytesIO
from typing import Final
from urllib.parse import urlsplit

import httptools

from servery.core.errors import InvalidRequest, PayloadTooLarge, ServeryError
from servery.web.server.http_request import HttpRequest, RequestHead
from servery.web.server.repeated_head import LoneHead, RepeatedHead, lone_head
from servery.web.server.server_limits import ServerLimits

OUT_OF_STEP: Final = "the request is not HTTP/1.1 as this server reads it"

_ONCE = (b"host", b"authorization", b"x-api-key", b"content-type", b"content-encoding")


class RequestParser:
    """``on_head`` is called when a request's head is whole, with whether its client waits to be told to send the body;
    ``on_request`` with each whole request. ``client`` is the peer's host and port, as it is to stand in requests."""

    def __init__(
        self,
        limits: ServerLimits,
        *,
        on_head: Callable[[bool], None],
        on_request: Callable[[HttpRequest], None],
    ) -> None:
        self.client: tuple[str, int] | None = None
        self._limits = limits
        self._max_body_bytes = limits.max_body_bytes
        self._on_head = on_head
        self._on_request = on_request
        self._parser = httptools.HttpRequestParser(self)
        self._repeated: RepeatedHead | None = None
        self._lone: LoneHead | None = None
        self._last: HttpRequest | None = None
        self._between_requests = True
        self._unseen_bytes = 0
        self._begin()

    def feed(self, data: bytes) -> None:
        """Take bytes; the callbacks are called from here. Raises a ServeryError when the client is out of step or past
        a limit: nothing that follows can be understood.

        A wish to change to another protocol is passed over, as HTTP allows: clients that prefer HTTP/2 send it with
        their first request. The parser stops there, so a new one is given the same head without the wish.
        """
        if not self._between_requests:
            self._parse(data)
            return
        if self._lone is not None:
            self._repeated = self._lone.to_repeat()
            self._lone = None
        request = None
        if self._repeated is not None:
            request = self._repeated.request(data, self.client, most_bytes=self._max_body_bytes)
        if request is not None:
            self._on_request(request)
            return
        self._parse(data)
        if self._between_requests and self._last is not None:
            self._repeated = None
            self._lone = lone_head(data, self._last)
            self._last = None

    def _parse(self, data: bytes) -> None:
        self._unseen_bytes += len(data)
        try:
            while data:
                try:
                    self._parser.feed_data(data)
                except httptools.HttpParserUpgrade as wish:
                    if self._parser.get_method() == b"CONNECT":
                        raise InvalidRequest("this server is no proxy") from None
                    data = self._head_without_upgrade() + data[wish.args[0] :]
                    self._parser = httptools.HttpRequestParser(self)
                else:
                    break
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise cause if isinstance(cause, ServeryError) else InvalidRequest(OUT_OF_STEP) from None
        # The parser gathers a header, or the line before a chunk, until it ends: that is bounded too.
        if self._unseen_bytes > self._limits.max_header_bytes:
            raise self._head_too_large()

    # What the parser calls

    def on_message_begin(self) -> None:
        self._between_requests = False
        self._begin()

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
        version = self._parser.get_http_version()
        self._check_head(headers, version)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limits.max_body_bytes:
            raise self._body_too_large()
        waits = headers.get(b"expect", b"").lower() == b"100-continue" and version == "1.1"
        self._on_head(waits)

    def on_body(self, piece: bytes) -> None:
        self._unseen_bytes = 0
        if self._body.tell() + len(piece) > self._limits.max_body_bytes:
            raise self._body_too_large()
        self._body.write(piece)

    def on_message_complete(self) -> None:
        self._unseen_bytes = 0
        if not self._parser.should_upgrade():
            self._between_requests = True
            self._last = self._request()
            self._on_request(self._last)

    # Its own

    def _begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._head_is_whole = False
        self._body = BytesIO()

    def _request(self) -> HttpRequest:
        path, query = self._target()
        head = RequestHead(
            method=self._parser.get_method().decode("latin-1"),
            path=path.decode("latin-1"),
            query=query,
            headers=tuple(self._headers),
            http_version=self._parser.get_http_version(),
            keep_alive=self._parser.should_keep_alive(),
        )
        return HttpRequest(head, self._body.getvalue(), self.client)

    def _target(self) -> tuple[bytes, bytes]:
        """Path and query. Only a target in absolute form has a host in it: ``//a/b`` is a path."""
        if self._url.startswith(b"/"):
            path, _, query = self._url.partition(b"?")
            return path, query
        try:
            parts = urlsplit(self._url)
        except ValueError:
            raise InvalidRequest(OUT_OF_STEP) from None
        return parts.path or b"/", parts.query

    def _head_without_upgrade(self) -> bytes:
        version = self._parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), self._url, version)]
        lines += [b"%b: %b" % header for header in self._headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _check_head(self, headers: dict[bytes, bytes], version: str) -> None:
        """What the parser lets pass, and another server may read in another way."""
        if version == "1.1":
            if b"host" not in headers:
                raise InvalidRequest("the request names no host")
        elif version != "1.0":
            raise InvalidRequest(OUT_OF_STEP)
        if headers.get(b"transfer-encoding", b"chunked").strip().lower() != b"chunked":
            raise InvalidRequest("no transfer encoding but chunked is understood")
        if len(headers) < len(self._headers):
            names = [name for name, _ in self._headers]
            if any(names.count(name) > 1 for name in _ONCE):
                raise InvalidRequest("the request has a header twice that it may have once")

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._limits.max_header_bytes:
            raise self._head_too_large()

    def _head_too_large(self) -> InvalidRequest:
        return InvalidRequest(f"the request's headers are larger than {self._limits.max_header_bytes} bytes")

    def _body_too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"the request's body is larger than {self._limits.max_body_bytes} bytes")
