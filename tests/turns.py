"""Turns of the event loop, where a moment's sleep would not do on a machine that stands still meanwhile."""

import asyncio


async def turns(number: int = 20) -> None:
    """Let the event loop turn so often: each turn looks for what has come over loopback, and hands it on."""
    for _ in range(number):
        await asyncio.sleep(0.001)
