"""Hands requests that are not inference to an ASGI app, whole, and writes what it answers."""

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from servery.web.server.http_request import HttpRequest
from servery.web.server.response_writer import ResponseWriter, header_lines


class AsgiBridge:
    """Speaks HTTP of ASGI 3; there are no web sockets and no lifespan."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def serve(self, request: HttpRequest, writer: ResponseWriter) -> None:
        exchange = _AsgiExchange(request, writer)
        await self._app(_scope(request), exchange.receive, exchange.send)


class _AsgiExchange:
    def __init__(self, request: HttpRequest, writer: ResponseWriter) -> None:
        self._request = request
        self._writer = writer
        self._received = False
        self._status = 200
        self._headers = b""

    async def receive(self) -> Message:
        if self._received:
            await asyncio.Event().wait()  # for the client to leave: then this is cancelled
        self._received = True
        return {"type": "http.request", "body": self._request.body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = _own_headers(message.get("headers", ()))
            return
        body: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if not self._writer.started and not more:
            self._writer.whole(self._status, self._headers, body)
            return
        if not self._writer.started:
            self._writer.start(self._status, self._headers)
        if more:
            self._writer.write(body)
        else:
            self._writer.end(body)


def _own_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Without those that the writer sets itself."""
    return header_lines(header for header in headers if header[0].lower() not in {b"content-length", b"connection"})


def _scope(request: HttpRequest) -> dict[str, Any]:
    head = request.head
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.http_version,
        "method": head.method,
        "scheme": "http",
        "path": unquote(head.path),
        "raw_path": head.path.encode("latin-1"),
        "query_string": head.query,
        "root_path": "",
        "headers": list(head.headers),
        "client": request.client,
        "server": None,
    }
