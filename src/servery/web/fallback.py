"""What is answered where no route answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from servery.core.errors import InternalError, MethodNotAllowed, NotFound, ServeryError
from servery.core.ids import RequestIds
from servery.web.anthropic.errors import CLIENTS_HEADER
from servery.web.anthropic.errors import error_body as anthropic_error_body
from servery.web.control.resource import control_error
from servery.web.openai.errors import error_body

_CONTROL_PLANE: Final = ("/v1/accounts", "/v1/creditCodes", "/v1/invoices", "/v1/pricing")
_ANTHROPIC: Final = ("/v1/messages/", "/inference/v1/messages/")


class _Fallback:
    """Handlers for a Starlette application. Each answer has an id, in the headers in which clients look for it."""

    def __init__(self) -> None:
        self._new_id = RequestIds().new

    async def not_found(self, request: Request, fault: Exception) -> Response:
        return self._answer(request, NotFound("Path not found"))

    async def method_not_allowed(self, request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException), "it is handled for its status"
        allowed = (fault.headers or {}).get("Allow", "")
        error = MethodNotAllowed(f"{request.url.path} does not take {request.method}", allowed=allowed)
        return self._answer(request, error, allowed)

    async def fault(self, request: Request, fault: Exception) -> Response:
        """Without its details, which are the operator's: whoever called the application is told of it too."""
        return self._answer(request, InternalError("internal error"))

    def _answer(self, request: Request, error: ServeryError, allowed: str | None = None) -> Response:
        request_id = self._new_id()
        body = refusal_body(request.url.path, error, request_id, of_anthropics=CLIENTS_HEADER in request.headers)
        headers = {"x-request-id": request_id, "request-id": request_id}
        if allowed is not None:
            headers["allow"] = allowed
        return Response(body, status_code=error.status, headers=headers, media_type="application/json")


def exception_handlers() -> Mapping[Any, Any]:
    """For a Starlette application: refusals in the dialect of the path."""
    fallback = _Fallback()
    return {
        HTTPStatus.NOT_FOUND: fallback.not_found,
        HTTPStatus.METHOD_NOT_ALLOWED: fallback.method_not_allowed,
        Exception: fallback.fault,
    }


def refusal_body(path: str, error: ServeryError, request_id: str = "", *, of_anthropics: bool = False) -> bytes:
    """In the dialect of the path; ``of_anthropics``: to Anthropic's client, who is answered in its own form, but by the
    control plane."""
    if path.startswith(_CONTROL_PLANE):
        return control_error(error)
    if of_anthropics or path.startswith(_ANTHROPIC):  # what Anthropic has below the paths that are served
        return anthropic_error_body(error, request_id)
    return error_body(error, request_id)
