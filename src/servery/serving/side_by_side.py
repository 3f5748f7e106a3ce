"""Several branches of one request, at engines at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from servery.core.errors import ServeryError
from servery.serving.journey import Branch

_MAX_PARALLEL_BRANCHES = 4


async def side_by_side(branches: Sequence[Branch], serve: Callable[[Branch], Awaitable[bytes]]) -> list[bytes]:
    """What ``serve`` returns for each, a few at a time. The first that fails ends them all, and its refusal
    is raised."""
    turns = asyncio.Semaphore(_MAX_PARALLEL_BRANCHES)

    async def in_turn(branch: Branch) -> bytes:
        async with turns:
            return await serve(branch)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(branch)) for branch in branches]
    except* ServeryError as errors:
        raise _first(errors) from errors
    return [task.result() for task in tasks]


def _first(group: BaseExceptionGroup[ServeryError]) -> ServeryError:
    """The first refusal among those of several branches."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ServeryError), "only refusals are gathered here"
    return error
