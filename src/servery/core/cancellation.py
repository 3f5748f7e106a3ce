"""Cancelling tasks, and taking a cancellation for something else."""

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel all of them, and return when they have ended. One that goes on all the same is cancelled again: what it
    waited for may have taken the cancellation for its own."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_AGAIN_S)


def uncancel() -> None:
    """The running task, which has just met a CancelledError, goes on as if nobody had cancelled it."""
    task = asyncio.current_task()
    assert task is not None, "only tasks are cancelled"
    task.uncancel()
