"""``GET /v1/accounts/{account}/auditLogs``, and how entries come about."""

import base64
import binascii
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from servery.core.caller import Caller
from servery.core.clock import rfc3339
from servery.core.errors import InvalidRequest
from servery.tenancy.audit_log import END, AuditEntry, AuditLog
from servery.web.control.access import account_of
from servery.web.control.listing import Listing

DEFAULT_SIZE: Final = 10
MAX_SIZE: Final = 200
_SECRET_FIELDS: Final = frozenset({"secret", "code", "key", "password"})
_PAYLOAD_CHARS_MAX: Final = 4_096
_TEXT_CHARS_MAX: Final = 256


class AuditResource(msgspec.Struct, rename="camel"):
    """An entry as it is shown."""

    id: str
    method: str
    principal: str
    payload: msgspec.Raw
    status: int
    timestamp: str
    message: str
    resource: str
    is_admin_action: bool
    user_agent: str
    client_ip: str
    api_key_id: str


class AuditEndpoints:
    """Handler for the audit log: newest first, ten to a page unless asked otherwise."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """A page token is a place in the log, so that what is added meanwhile moves nothing."""
        account, listing = account_of(request, caller), Listing(request, AuditResource)
        size, before = _size(request), _before(request)
        entries = await self._log.list(account, before=before, most=size + 1)
        page, more = entries[:size], len(entries) > size
        token = base64.urlsafe_b64encode(str(page[-1].sequence).encode()).decode() if more else ""
        return listing.page_response("auditLogs", [_shown(entry) for entry in page], token)


def without_secrets(body: bytes) -> str:
    """The JSON of a request's body, its secrets struck out; what is no JSON, too deep or too long, is left out."""
    try:
        text = msgspec.json.encode(_struck(msgspec.json.decode(body or b"{}"))).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "{}"
    return text if len(text) <= _PAYLOAD_CHARS_MAX else "{}"


def short(text: str) -> str:
    """What a client says of itself, as much of it as is kept."""
    return text[:_TEXT_CHARS_MAX]


def _struck(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "***" if name in _SECRET_FIELDS else _struck(inner) for name, inner in value.items()}
    return [_struck(inner) for inner in value] if isinstance(value, list) else value


def _size(request: Request) -> int:
    text = request.query_params.get("pageSize", "")
    if text in {"", "0"}:
        return DEFAULT_SIZE
    if not (text.isascii() and text.isdigit()):
        raise InvalidRequest(f"pageSize is a whole number from 1 on, not {text!r}", param="pageSize")
    return min(int(text[:9]), MAX_SIZE)


def _before(request: Request) -> int:
    token = request.query_params.get("pageToken", "")
    if not token:
        return END
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not text.isdigit() or len(text) > 18:
        raise InvalidRequest("pageToken is not one that was given", param="pageToken")
    return int(text)


def _shown(entry: AuditEntry) -> AuditResource:
    return AuditResource(
        id=entry.id,
        method=entry.method,
        principal=entry.principal,
        payload=msgspec.Raw(entry.payload.encode()),
        status=entry.status,
        timestamp=rfc3339(entry.created_ns),
        message=entry.message,
        resource=entry.resource,
        is_admin_action=entry.is_admin_action,
        user_agent=entry.user_agent,
        client_ip=entry.client_ip,
        api_key_id=entry.api_key_id,
    )
