"""Tasks are ended, whatever they make of it."""

import asyncio
import contextlib

from servery.core.cancellation import end


async def test_a_task_that_takes_a_cancellation_for_its_own_is_cancelled_again() -> None:
    """Libraries do so at times; nobody waits for such a task for ever."""
    cancelled = 0

    async def stubborn() -> None:
        nonlocal cancelled
        while True:
            with contextlib.suppress(asyncio.CancelledError if cancelled == 0 else ()):
                await asyncio.sleep(3600)
            cancelled += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await end(task)
    assert task.cancelled()
    assert cancelled == 1


async def test_what_has_ended_is_not_waited_for() -> None:
    """One of two may have ended by itself before, even with an error."""

    async def fail() -> None:
        raise ValueError

    failed, waiting = asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    await end(failed, waiting)
    assert isinstance(failed.exception(), ValueError)
    assert waiting.cancelled()
