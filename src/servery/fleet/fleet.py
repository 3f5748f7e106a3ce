"""All pools, running."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from random import Random, SystemRandom

import msgspec

from servery.catalog.engine import EmbeddedEngine, UrlEngine
from servery.catalog.pool import Pool
from servery.catalog.replica_spec import ReplicaSpec
from servery.core.clock import Clock, SystemClock
from servery.engines.address import address_from_url
from servery.fleet.client_factory import ClientFactory
from servery.fleet.load_scraper import LoadScraper, ScrapePace
from servery.fleet.local_launcher import LaunchLimits, LocalLauncher
from servery.fleet.prober import ProbePace
from servery.fleet.progress import Progress
from servery.fleet.replica import Replica, ReplicaState
from servery.fleet.replica_news import NewsFollower
from servery.fleet.replica_pool import ReplicaPool
from servery.fleet.station import Station
from servery.fleet.url_watcher import UrlWatcher
from servery.fleet.weights_store import WeightsStore


class FleetParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet is built with. ``engine_keys`` are API keys of URL engines by the name of their variable."""

    weights: WeightsStore
    log_directory: Path
    engine_keys: Mapping[str, str]
    limits: LaunchLimits
    pace: ProbePace
    clients: ClientFactory
    progress: Progress
    load_pace: ScrapePace = ScrapePace()
    clock: Clock = msgspec.field(default_factory=SystemClock)
    random: Random = msgspec.field(default_factory=SystemRandom)
    station: Station = Station()


class Fleet:
    """Runs the catalog's pools inside ``run``; ``pools`` may be read at any time. A process that does not serve runs
    those whose engines it starts itself, and no others."""

    def __init__(self, pools: Mapping[str, Pool], parts: FleetParts) -> None:
        self._parts = parts
        self.pools = {
            name: ReplicaPool(spec, parts.clock, share=parts.station.share)
            for name, spec in pools.items()
            if parts.station.serves or any(isinstance(engine, EmbeddedEngine) for engine in spec.engines)
        }

    async def run(self) -> None:
        """Start and watch all replicas. Ends by being cancelled, when every engine of ours has ended too."""
        self._parts.log_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        replicas = [replica for pool in self.pools.values() for replica in pool.replicas]
        scraper = LoadScraper(replicas, pace=self._parts.load_pace, clock=self._parts.clock, random=self._parts.random)
        async with asyncio.TaskGroup() as group:
            if self._parts.station.serves:
                group.create_task(scraper.run(), name="load scraper")
            for pool in self.pools.values():
                for spec, replica in zip(pool.spec.replica_specs(), pool.replicas, strict=True):
                    if self._is_kept_here(spec):
                        group.create_task(self._keeper(spec, replica).run(), name=f"replica {replica.name}")
            await asyncio.get_running_loop().create_future()  # with nothing to keep here it does not end either

    @property
    def is_ready(self) -> bool:
        """Whether every pool has a replica that can serve."""
        return all(pool.capacity > 0 for pool in self.pools.values())

    @property
    def is_starting(self) -> bool:
        """Whether a replica is still on its first way up."""
        return any(one.state is ReplicaState.STARTING for pool in self.pools.values() for one in pool.replicas)

    async def wait_until_started(self) -> None:
        """Return once every pool can serve and no replica is still starting for the first time."""
        changed = asyncio.Event()
        for pool in self.pools.values():
            pool.listen(changed.set)
        while self.is_starting or not self.is_ready:
            changed.clear()
            await changed.wait()

    def drain(self) -> None:
        """No replica takes anything new."""
        for pool in self.pools.values():
            for replica in pool.replicas:
                replica.drain()

    def close(self) -> None:
        for pool in self.pools.values():
            for replica in pool.replicas:
                replica.close()

    def _is_kept_here(self, spec: ReplicaSpec) -> bool:
        """Who does not serve keeps none but the engines that it starts."""
        return self._parts.station.serves or isinstance(spec.engine, EmbeddedEngine)

    def _keeper(self, spec: ReplicaSpec, replica: Replica) -> LocalLauncher | NewsFollower | UrlWatcher:
        parts = self._parts
        match spec.engine:
            case EmbeddedEngine() if parts.station.desk is not None:
                return NewsFollower(replica, parts.station.desk, clients=parts.clients)
            case EmbeddedEngine() as engine:
                return LocalLauncher(
                    replica,
                    engine,
                    weights=parts.weights,
                    log_file=parts.log_directory / f"{replica.name.replace('/', '-')}.log",
                    limits=parts.limits,
                    pace=parts.pace,
                    clients=parts.clients,
                    progress=parts.progress,
                )
            case UrlEngine() as engine:
                assert spec.url is not None, "such an engine is given by its URL"
                address = address_from_url(
                    spec.url,
                    family=engine.family,
                    served_model=engine.served_model,
                    api_key=parts.engine_keys.get(engine.api_key_env) if engine.api_key_env else None,
                )
                return UrlWatcher(replica, parts.clients(address), pace=parts.pace, progress=parts.progress)
