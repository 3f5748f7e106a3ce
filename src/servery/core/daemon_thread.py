"""Waiting for the world in a thread for which the end of the process does not wait."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from servery.core.tell_loop import tell_loop

T = TypeVar("T")


async def in_daemon_thread(function: Callable[[], T], *, name: str) -> T:
    """What ``function`` returns or raises. Who is cancelled leaves it to itself.

    Unlike in ``asyncio.to_thread``, whose threads an event loop awaits when it is closed. Not for what must be done to
    its end; and how many run at once is the caller's to limit.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            tell = partial(_succeed, done, function())
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            tell = partial(_fail, done, error)
        tell_loop(loop, tell)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
