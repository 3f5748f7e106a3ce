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
    return slice_of(items, token=request.query_params.get("pageToken", ""), size=page_size(request))


def reach_of(request: Request) -> int:
    """How many items, from the first of the list on, ``page_of`` looks at: to the page's end, and one to see whether
    there are more. Raises InvalidRequest."""
    return _offset(request.query_params.get("pageToken", "")) + page_size(request) + 1


def slice_of(items: Sequence[Item], *, token: str, size: int) -> tuple[list[Item], str]:
    """As ``page_of``, for a request that carries token and size in its body; a size of 0 is the usual one."""
    start = _offset(token)
    end = start + min(size or DEFAULT_SIZE, MAX_SIZE)
    next_token = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else ""
    return list(items[start:end]), next_token


def page_size(request: Request) -> int:
    """How many items are asked for, as far as they are given at once. Raises InvalidRequest."""
    text = request.query_params.get("pageSize", "")
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
