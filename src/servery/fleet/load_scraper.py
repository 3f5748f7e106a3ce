"""Asks every ready replica at a steady pace how busy it is."""

import asyncio
from collections.abc import Sequence
from random import Random

import msgspec

from servery.core.clock import Clock
from servery.core.errors import ServeryError
from servery.engines.load import EngineLoad, read_load
from servery.fleet.replica import Replica


class ScrapePace(msgspec.Struct, frozen=True, kw_only=True):
    """Each wait is ``interval_s`` give or take a tenth, so that replicas that came up together are not asked together.
    A load that is older than ``stale_after_s`` is marked."""

    interval_s: float = 2.0
    timeout_s: float = 2.0
    stale_after_s: float = 6.0


class LoadScraper:
    """Keeps ``load`` of each replica fresh for as long as ``run`` is awaited. An engine that does not tell its load
    has none; that it serves is not in doubt for that."""

    def __init__(self, replicas: Sequence[Replica], *, pace: ScrapePace, clock: Clock, random: Random) -> None:
        self._replicas = replicas
        self._pace = pace
        self._clock = clock
        self._random = random

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for replica in self._replicas:
                group.create_task(self._keep_fresh(replica), name=f"load of {replica.name}")

    async def _keep_fresh(self, replica: Replica) -> None:
        while True:
            await asyncio.sleep(self._pace.interval_s * self._random.uniform(0.9, 1.1))
            await self.scrape(replica)

    async def scrape(self, replica: Replica) -> None:
        """Ask one replica once, if it is ready and its kind of engine tells its load."""
        asked = replica.occupancy.gone()
        load = await self._ask(replica) if replica.is_ready else None
        if load is not None:
            replica.reported(load, asked)
        elif replica.load is not None and self._age_s(replica.load) > self._pace.stale_after_s:
            replica.report_is_stale()

    async def _ask(self, replica: Replica) -> EngineLoad | None:
        client = replica.client
        if client.traits.metrics_path is None:
            return None
        try:
            told = await client.call("GET", client.traits.metrics_path, timeout_s=self._pace.timeout_s)
        except ServeryError:
            return None  # health is the prober's matter
        if client is not replica.client:
            return None  # a fresh engine has taken its place meanwhile
        return read_load(told.decode(errors="replace"), client.family, scraped_at_s=self._clock.monotonic_s())

    def _age_s(self, load: EngineLoad) -> float:
        return self._clock.monotonic_s() - load.scraped_at_s
