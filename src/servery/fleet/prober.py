"""Asks one replica at a steady pace whether it is well."""

import asyncio

import msgspec

from servery.core.errors import ServeryError
from servery.engines.client import EngineClient


class ProbePace(msgspec.Struct, frozen=True, kw_only=True):
    """``failures_to_down`` probes in a row must fail before a replica counts as down."""

    interval_s: float = 2.0
    timeout_s: float = 5.0
    failures_to_down: int = 3


async def wait_until_well(client: EngineClient, *, timeout_s: float, retry_s: float = 0.05) -> None:
    """Return once the engine says that it is ready. Raises EngineUnavailable or what it answered, after the time."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while True:
        try:
            await client.call("GET", client.traits.health_path, timeout_s=timeout_s)
        except ServeryError:
            if loop.time() >= deadline_s:
                raise
        else:
            return
        await asyncio.sleep(retry_s)


async def wait_until_ill(client: EngineClient, pace: ProbePace) -> str:
    """Probe for as long as the engine is well; return why it is not, in words for the operator."""
    failures = 0
    while True:
        await asyncio.sleep(pace.interval_s)
        try:
            await client.call("GET", client.traits.health_path, timeout_s=pace.timeout_s)
            failures = 0
        except ServeryError as error:
            failures += 1
            if failures >= pace.failures_to_down:
                return error.message
