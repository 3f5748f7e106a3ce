"""Requests that are not inference reach an ASGI app, and its answers the client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.web_server.raw_client import RawClient
from tests.web_server.server import Server

from servery.web.server.asgi_bridge import AsgiBridge
from servery.web.server.http_request import HttpRequest
from servery.web.server.response_writer import ResponseWriter
from servery.web.server.write_pressure import WritePressure


async def tell(request: Request) -> Response:
    told: dict[str, Any] = {
        "method": request.method,
        "path": request.url.path,
        "name": request.path_params["name"],
        "query": dict(request.query_params),
        "header": request.headers.get("x-thing"),
        "body": (await request.body()).decode(),
        "client": request.client.host if request.client else None,
    }
    return JSONResponse(told, status_code=201, headers={"x-answer": "yes"})


async def stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"a", b"", b"b"):
            yield piece
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


async def plain(request: Request) -> Response:
    return PlainTextResponse("words")


@pytest.fixture
async def client() -> AsyncIterator[RawClient]:
    app = Starlette(
        routes=[
            Route("/things/{name}", tell, methods=["GET", "POST"]),
            Route("/stream", stream),
            Route("/plain", plain),
        ]
    )
    bridge = AsgiBridge(app)

    class Bridged(Server):
        async def handle(
            self, request: HttpRequest, writer: ResponseWriter, pressure: WritePressure, task: asyncio.Task[None]
        ) -> None:
            await bridge.serve(request, writer)

    server = Bridged()
    await server.start()
    yield await server.connect()
    await server.stop()


async def test_an_app_sees_the_whole_request(client: RawClient) -> None:
    """Path decoded, query, headers, body, peer; and its status and headers come back."""
    client.post(b"hello", "/things/a%20%C3%A4?x=1&x=2", "X-Thing: Value")
    response = await client.response()
    assert response.status == 201
    assert response.headers["x-answer"] == "yes"
    assert response.json == {
        "method": "POST",
        "path": "/things/a ä",
        "name": "a ä",
        "query": {"x": "2"},
        "header": "Value",
        "body": "hello",
        "client": "127.0.0.1",
    }


async def test_a_stream_is_sent_in_chunks(client: RawClient) -> None:
    """And the connection is good for another request."""
    client.get("/stream")
    response = await client.response()
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.body == b"ab"
    client.get("/plain")
    assert (await client.response()).body == b"words"


async def test_a_head_and_refusals_are_the_apps(client: RawClient) -> None:
    """Starlette's own 404 and 405, and a HEAD without a body."""
    client.send(b"HEAD /plain HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.response(head_only=True)).headers["content-length"] == "5"
    client.get("/none")
    assert (await client.response()).status == 404
    client.post(b"", "/plain")
    assert (await client.response()).status == 405
