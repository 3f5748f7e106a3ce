"""Telling an event loop something from another thread."""

import asyncio
from collections.abc import Callable


def tell_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """``call`` is called on ``loop``, soon. A loop that was closed has nobody left who could be told."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        assert loop.is_closed()
