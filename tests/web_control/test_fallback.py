"""Refusals where no route answers: in whose form they are."""

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.web_control.conftest import Plane

from servery.core.errors import InternalError, NotFound
from servery.web.anthropic.errors import error_body as anthropic_error_body
from servery.web.control.resource import Resource, control_error
from servery.web.fallback import exception_handlers, refusal_body
from servery.web.openai.errors import error_body


def test_a_path_is_refused_as_its_route_refuses(plane: Plane) -> None:
    """Whatever the route's own refusals look like, a fault in it and a method that it does not take look the same."""
    fault = InternalError("internal error")
    of_control = control_error(fault)
    for route in plane.routes:
        assert isinstance(route.app, Resource)
        assert route.app._render_error(fault) == of_control == refusal_body(route.path, fault), route.path
    assert refusal_body("/v1/pricing", fault) == of_control
    for path in ("/v1/chat/completions", "/v1/models", "/inference/v1/models/demo"):
        assert refusal_body(path, fault) == error_body(fault, "")


def test_what_anthropic_has_and_this_has_not_is_refused_in_anthropics_form() -> None:
    """Its clients read a type and a message only from their own envelope, such as when they ask for a batch."""
    fault = NotFound("Path not found")
    for prefix in ("/v1", "/inference/v1"):
        assert refusal_body(f"{prefix}/messages/batches", fault) == anthropic_error_body(fault, "")


async def test_where_there_is_nothing_each_client_reads_why() -> None:
    """In its own form, with an id under which it may ask; the control plane has one form for all."""
    app = Starlette(exception_handlers=exception_handlers())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://servery") as client:
        for headers, kind in (({}, "error"), ({"anthropic-version": "2023-06-01"}, "not_found_error")):
            refused = await client.get("/v1/files", headers=headers)
            assert refused.status_code == 404
            assert refused.json()["error"]["type"] == kind
            assert refused.json()["request_id"] == refused.headers["request-id"] == refused.headers["x-request-id"]
            assert refused.json()["request_id"].startswith("chatcmpl-")
            assert (await client.get("/v1/accounts/a/b/c", headers=headers)).json()["code"] == 5


async def well(request: Request) -> Response:
    return PlainTextResponse("well")


async def test_a_method_that_is_not_taken_is_refused_with_those_that_are() -> None:
    """As HTTP wants it of every 405."""
    app = Starlette(routes=[Route("/health", well)], exception_handlers=exception_handlers())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://servery") as client:
        refused = await client.options("/health")
    assert refused.status_code == 405
    assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD"}
