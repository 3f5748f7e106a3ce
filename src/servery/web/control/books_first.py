"""Before the control plane answers, the books have what this gateway has released: whoever asks for the receipt of an
answer that it has just got finds it."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_CONTROL: Final = "/v1/accounts"


class BooksFirst:
    """ASGI. ``caught_up`` returns when the books have what was released before, or do not get it in time; then the
    answer is as of now."""

    def __init__(self, app: ASGIApp, caught_up: Callable[[], Awaitable[object]]) -> None:
        self._app = app
        self._caught_up = caught_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_CONTROL):
            await self._caught_up()
        await self._app(scope, receive, send)
