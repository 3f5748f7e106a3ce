"""What is answered where no route is."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from servery.core.errors import MethodNotAllowed, NotFound, ServeryError
from servery.web.control.resource import control_error
from servery.web.openai.errors import error_body

_CONTROL_PLANE = "/v1/accounts"


async def _not_found(request: Request, fault: Exception) -> Response:
    return _answer(request, NotFound("Path not found"))


async def _method_not_allowed(request: Request, fault: Exception) -> Response:
    return _answer(request, MethodNotAllowed(f"{request.url.path} does not take {request.method}"))


def exception_handlers() -> Mapping[Any, Any]:
    """For a Starlette application: refusals in the dialect of the path."""
    return {HTTPStatus.NOT_FOUND: _not_found, HTTPStatus.METHOD_NOT_ALLOWED: _method_not_allowed}


def _answer(request: Request, error: ServeryError) -> Response:
    plane = control_error if request.url.path.startswith(_CONTROL_PLANE) else _inference_error
    return Response(plane(error), status_code=error.status, media_type="application/json")


def _inference_error(error: ServeryError) -> bytes:
    return error_body(error, "")
