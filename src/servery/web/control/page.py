"""Lists in pages: ``pageSize`` and ``pageToken``."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final, TypeVar

from starlette.requests import Request

from servery.core.errors import InvalidRequest

Item = TypeVar("Item")

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 200


def page_of(request: Request, items: Sequence[Item]) -> tuple[list[Item], str]:
    """The page that ``request`` asks for, and the token of the next one ("" after the last).

    A page holds 50 items unless ``pageSize`` says otherwise; more than 200 are never given at once. A token counts the
    items before its page, so that a list which grows at its end is read without gaps. Raises InvalidRequest.
    """
    start = _offset(request.query_params.get("pageToken", ""))
    size = min(_size(request.query_params.get("pageSize", "")), MAX_SIZE)
    end = start + size
    next_token = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else ""
    return list(items[start:end]), next_token


def _size(text: str) -> int:
    if text in {"", "0"}:
        return DEFAULT_SIZE
    if not text.isascii() or not text.isdigit():
        raise InvalidRequest(f"pageSize is a whole number from 1 on, not {text!r}", param="pageSize")
    return min(int(text[:9]), MAX_SIZE)


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not text.isdigit() or len(text) > 9:
        raise InvalidRequest("pageToken is not one that was given", param="pageToken")
    return int(text)
