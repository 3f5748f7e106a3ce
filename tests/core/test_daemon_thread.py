"""Waiting in threads for which nobody waits at the end."""

import asyncio
import threading

import pytest

from servery.core.daemon_thread import in_daemon_thread


async def test_it_returns_and_raises_what_the_function_does() -> None:
    """As if it had been called."""
    assert await in_daemon_thread(lambda: threading.current_thread().name, name="aside") == "aside"
    with pytest.raises(ValueError, match="invalid literal"):
        await in_daemon_thread(lambda: int("one"), name="aside")


def test_an_event_loop_ends_while_one_still_waits() -> None:
    """Who was cancelled hears nothing of it, nor does anybody when the loop is closed."""
    may_end, has_begun, threads = threading.Event(), threading.Event(), []

    def wait() -> None:
        threads.append(threading.current_thread())
        has_begun.set()
        may_end.wait()

    async def leave() -> None:
        waiting = asyncio.create_task(in_daemon_thread(wait, name="aside"))
        await asyncio.to_thread(has_begun.wait)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()

    asyncio.run(leave())
    (thread,) = threads
    assert thread.daemon
    may_end.set()
    thread.join(60)
    assert not thread.is_alive()
