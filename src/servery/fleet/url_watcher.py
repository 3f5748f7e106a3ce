"""Watches an engine that somebody else runs."""

import asyncio

from servery.core.errors import ServeryError
from servery.engines.client import EngineClient
from servery.fleet.prober import ProbePace, wait_until_ill, wait_until_well
from servery.fleet.progress import Progress
from servery.fleet.replica import Replica, ReplicaState


class UrlWatcher:
    """Marks one replica ready and down as its engine answers or not, for as long as ``run`` is awaited."""

    def __init__(self, replica: Replica, client: EngineClient, *, pace: ProbePace, progress: Progress) -> None:
        self._replica = replica
        self._client = client
        self._pace = pace
        self._progress = progress

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started_s = loop.time()
            try:
                await wait_until_well(self._client, timeout_s=self._pace.timeout_s, retry_s=0.5)
            except ServeryError as error:
                if self._replica.state is not ReplicaState.DOWN:
                    self._fell(error.message)
                continue
            self._replica.up(self._client)
            self._progress.ready(self._replica.name, seconds=loop.time() - started_s)
            self._fell(await wait_until_ill(self._client, self._pace))

    def _fell(self, reason: str) -> None:
        """Told once, however long it stays so."""
        self._replica.down(reason)
        self._progress.failed(self._replica.name, reason)
