"""One path of the control plane: its methods, who may call, and how refusals look."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from servery.core.caller import Caller
from servery.core.errors import MethodNotAllowed, ServeryError
from servery.tenancy.audit_log import Attempt, AuditLog
from servery.tenancy.key_ring import KeyRing
from servery.tenancy.permissions import Permission, require
from servery.web.control.access import account_of
from servery.web.control.audit_logs import short, without_secrets
from servery.web.presented_key import presented_key

Handler = Callable[[Request, Caller], Awaitable[msgspec.Struct | Response]]
"""Answers one method, with a value that is encoded as JSON or with a response of another kind. Raises ServeryErrors."""


class Action(msgspec.Struct, frozen=True):
    """What one method of a path does, and what that needs."""

    permission: Permission
    handler: Handler


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
_SAFE: Final = ("GET", "HEAD")
_READING: Final = {
    Permission.INFER,
    Permission.READ_OWN_USAGE,
    Permission.READ_ACCOUNT,
    Permission.READ_USAGE,
    Permission.READ_AUDIT,
}
"""What needs these changes nothing, also where a question is too long for a GET."""


class _Refusal(msgspec.Struct):
    code: int
    message: str
    details: list[str] = msgspec.field(default_factory=list)


def control_error(error: ServeryError) -> bytes:
    """As a gRPC gateway writes it: ``{"code": 5, "message": "...", "details": []}``."""
    return msgspec.json.encode(_Refusal(_GRPC_CODES.get(error.status, _GRPC_INTERNAL), error.message))


def response_of(answer: msgspec.Struct | Response) -> Response:
    """A handler's answer as it is sent."""
    return answer if isinstance(answer, Response) else Response(msgspec.json.encode(answer), media_type=JSON)


class Resource:
    """An ASGI application for one path. Every caller has a key, and each action its permission. Where the path names an
    account, it is the caller's own, except for asking models, which are everybody's: there the handler decides. A HEAD
    is answered as a GET, of which the server sends no more than the head."""

    def __init__(
        self,
        key_ring: KeyRing,
        audit: AuditLog,
        actions: Mapping[str, Action],
        render_error: RenderError = control_error,
    ) -> None:
        self._key_ring = key_ring
        self._audit = audit
        self.actions = actions
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            caller = await self._key_ring.authenticate(presented_key(request.headers))
            action = self.actions.get("GET" if request.method == "HEAD" else request.method)
            if action is None:
                taken, allowed = " and ".join(self.actions), ", ".join(self._allowed)
                raise MethodNotAllowed(f"{request.url.path} takes {taken}, not {request.method}", allowed=allowed)
            response = await self._act(request, caller, action)
        except ServeryError as error:
            headers = {"allow": error.allowed} if isinstance(error, MethodNotAllowed) else None
            response = Response(self._render_error(error), error.status, headers, JSON)
        await response(scope, receive, send)

    @property
    def _allowed(self) -> list[str]:
        return [*self.actions, "HEAD"] if "GET" in self.actions else list(self.actions)

    async def _act(self, request: Request, caller: Caller, action: Action) -> Response:
        """What changes something is noted in the audit log with the change itself; what is refused, before it is
        answered."""
        if not _changes(request, action):
            _check_access(request, caller, action.permission)
            return response_of(await action.handler(request, caller))
        attempt = await _attempt(request, caller)
        try:
            _check_access(request, caller, action.permission)
            return response_of(await self._audit.noted(attempt, action.handler(request, caller)))
        except ServeryError as error:
            status = _GRPC_CODES.get(error.status, _GRPC_INTERNAL)
            await self._audit.refused(attempt, status=status, message=error.message)
            raise


async def _attempt(request: Request, caller: Caller) -> Attempt:
    account = request.path_params.get("account", caller.account) if caller.admin else caller.account
    return Attempt(
        account=str(account),
        principal=f"accounts/{caller.account}/users/{caller.user}",
        method=f"{request.method} {request.scope['route'].path}",
        resource=request.url.path.removeprefix("/v1/"),
        payload=without_secrets(await request.body()),
        is_admin_action=caller.admin,
        user_agent=short(request.headers.get("user-agent", "")),
        client_ip="" if request.client is None else request.client.host,
        api_key_id=caller.key_id,
    )


def _changes(request: Request, action: Action) -> bool:
    return request.method not in _SAFE and action.permission not in _READING


def _check_access(request: Request, caller: Caller, permission: Permission) -> None:
    """Raises PermissionDenied."""
    if permission is not Permission.INFER and "account" in request.path_params:
        account_of(request, caller)
    require(caller, permission)
