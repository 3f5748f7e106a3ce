"""What is answered where no route answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from servery.core.errors import InternalError, MethodNotAllowed, NotFound, ServeryError
from servery.web.anthropic.errors import error_body as anthropic_error_body
from servery.web.control.resource import control_error
from servery.web.openai.errors import error_body

_CONTROL_PLANE: Final = ("/v1/accounts", "/v1/creditCodes", "/v1/invoices", "/v1/pricing")
_ANTHROPIC: Final = ("/v1/messages/", "/inference/v1/messages/")


async def _not_found(request: Request, fault: Exception) -> Response:
    return _answer(request, NotFound("Path not found"))


async def _method_not_allowed(request: Request, fault: Exception) -> Response:
    return _answer(request, MethodNotAllowed(f"{request.url.path} does not take {request.method}"))


async def _fault(request: Request, fault: Exception) -> Response:
    """Without its details, which are the operator's: whoever called the application is told of it too."""
    return _answer(request, InternalError("internal error"))


def exception_handlers() -> Mapping[Any, Any]:
    """For a Starlette application: refusals in the dialect of the path."""
    return {
        HTTPStatus.NOT_FOUND: _not_found,
        HTTPStatus.METHOD_NOT_ALLOWED: _method_not_allowed,
        Exception: _fault,
    }


def refusal_body(path: str, error: ServeryError) -> bytes:
    """In the dialect of the path."""
    if path.startswith(_ANTHROPIC):  # what Anthropic has below the one path that is served
        return anthropic_error_body(error, "")
    return control_error(error) if path.startswith(_CONTROL_PLANE) else error_body(error, "")


def _answer(request: Request, error: ServeryError) -> Response:
    body = refusal_body(request.url.path, error)
    return Response(body, status_code=error.status, media_type="application/json")
