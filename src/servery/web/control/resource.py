"""One path of the control plane: its methods, who may call, and how refusals look."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from servery.core.caller import Caller
from servery.core.errors import MethodNotAllowed, ServeryError
from servery.tenancy.key_ring import KeyRing
from servery.web.presented_key import presented_key

Handler = Callable[[Request, Caller], Awaitable[msgspec.Struct]]
"""Answers one method, with a value that is encoded as JSON. Raises ServeryErrors."""

RenderError = Callable[[ServeryError], bytes]
"""The JSON body of a refusal."""

JSON: Final = "application/json"

_GRPC_CODES: Final = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    408: 4,
    409: 6,
    412: 9,
    413: 11,
    429: 8,
    503: 14,
    504: 4,
}
_GRPC_INTERNAL: Final = 13


class _Refusal(msgspec.Struct):
    code: int
    message: str
    details: list[str] = msgspec.field(default_factory=list)


def control_error(error: ServeryError) -> bytes:
    """As a gRPC gateway writes it: ``{"code": 5, "message": "...", "details": []}``."""
    return msgspec.json.encode(_Refusal(_GRPC_CODES.get(error.status, _GRPC_INTERNAL), error.message))


class Resource:
    """An ASGI application for one path. Every caller has a key; what that key may see is the handlers' decision."""

    def __init__(
        self, key_ring: KeyRing, methods: Mapping[str, Handler], render_error: RenderError = control_error
    ) -> None:
        self._key_ring = key_ring
        self._methods = methods
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            caller = self._key_ring.authenticate(presented_key(request.headers))
            handler = self._methods.get(request.method)
            if handler is None:
                allowed = " and ".join(self._methods)
                raise MethodNotAllowed(f"{request.url.path} takes {allowed}, not {request.method}")
            response = Response(msgspec.json.encode(await handler(request, caller)), media_type=JSON)
        except ServeryError as error:
            headers = {"allow": ", ".join(self._methods)} if isinstance(error, MethodNotAllowed) else None
            response = Response(self._render_error(error), error.status, headers, JSON)
        await response(scope, receive, send)
