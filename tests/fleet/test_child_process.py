"""Child processes are ended, whatever they do."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import uvloop

from servery.fleet.child_process import end_child

STAYS = "import sys, time; sys.stdin.read(); time.sleep(3600)"


async def child(program: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=subprocess.PIPE)


def wait_ended(process: asyncio.subprocess.Process) -> None:
    """The event loop stands still meanwhile."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    time.sleep(0.05)


def test_one_that_leaves_as_its_time_ends_has_left() -> None:
    """It is not there any more to be killed."""

    async def end() -> int | None:
        process = await child(STAYS)
        ending = asyncio.create_task(end_child(process, timeout_s=0.01))
        await asyncio.sleep(0)
        os.kill(process.pid, signal.SIGTERM)
        wait_ended(process)
        await ending
        return process.returncode

    assert uvloop.run(end()) == -signal.SIGTERM


def test_one_that_stays_is_killed() -> None:
    """Once its time is over."""

    async def end() -> int | None:
        process = await child(STAYS)
        async with asyncio.timeout(60):
            await end_child(process, timeout_s=0.01)
        return process.returncode

    assert uvloop.run(end()) == -signal.SIGKILL
