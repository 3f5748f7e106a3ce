"""How the platform ends a child process that listens on a ``platform_pipe``."""

import asyncio
import contextlib


async def end_child(process: asyncio.subprocess.Process, *, timeout_s: float) -> None:
    """Close its standard input, which tells it to leave; kill it when it has not left after ``timeout_s``. Returns
    once it has ended."""
    if process.returncode is not None:
        return
    assert process.stdin is not None, "closing standard input tells the child to leave"
    process.stdin.close()
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it has left in the very moment
            process.kill()
        await process.wait()
