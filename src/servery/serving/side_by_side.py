"""Several branches of one request, at engines at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from servery.core.errors import ServeryError
from servery.engines.whole_answer import WholeAnswer
from servery.serving.journey import Branch

_MAX_PARALLEL_BRANCHES = 4


async def side_by_side(
    branches: Sequence[Branch], serve: Callable[[Branch], Awaitable[WholeAnswer]]
) -> list[WholeAnswer]:
    """What ``serve`` returns for each, a few at a time. The first that fails ends them all, and its refusal
    is raised."""
    turns = asyncio.Semaphore(_MAX_PARALLEL_BRANCHES)

    async def in_turn(branch: Branch) -> WholeAnswer:
        async with turns:
            return await serve(branch)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(branch)) for branch in branches]
    except ExceptionGroup as errors:  # not `except*`: before Python 3.11.4 it puts what it raises in a group of its own
        refusals, faults = errors.split(ServeryError)
        if refusals is None or faults is not None:
            raise
        raise _first(refusals) from errors
    return [task.result() for task in tasks]


def _first(group: ExceptionGroup[ServeryError]) -> ServeryError:
    """The first refusal among those of several branches."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ServeryError), "only refusals are gathered here"
    return error
