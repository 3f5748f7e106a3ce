"""Taking a cancellation for something else."""

import asyncio


def uncancel() -> None:
    """The running task, which has just met a CancelledError, goes on as if nobody had cancelled it."""
    task = asyncio.current_task()
    assert task is not None, "only tasks are cancelled"
    task.uncancel()
