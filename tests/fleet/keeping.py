"""One replica and whoever keeps it, with short waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from servery.catalog.engine import EmbeddedEngine, UrlEngine
from servery.catalog.pool import Pool
from servery.core.clock import SystemClock
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.exchange_limits import ExchangeLimits
from servery.fleet.local_launcher import LaunchLimits, LocalLauncher
from servery.fleet.prober import ProbePace
from servery.fleet.replica import Replica, ReplicaState
from servery.fleet.replica_pool import ReplicaPool
from servery.fleet.url_watcher import UrlWatcher
from servery.fleet.weights_store import WeightsStore

PACKAGED = Path(__file__).parents[2] / "src" / "servery" / "assets" / "servery-demo.gguf"
PACE = ProbePace(interval_s=0.02, timeout_s=20.0, failures_to_down=2)
LIMITS = LaunchLimits(startup_timeout_s=60.0, stop_timeout_s=30.0, first_backoff_s=0.01, max_backoff_s=0.05)


class Steps:
    """Keeps what a fleet tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def downloading(self, replica: str, model: str) -> None:
        self.told.append(("downloading", model))

    def starting(self, replica: str, model: str) -> None:
        self.told.append(("starting", model))

    def ready(self, replica: str, *, seconds: float) -> None:
        self.told.append(("ready", replica))

    def failed(self, replica: str, reason: str) -> None:
        self.told.append(("failed", reason))


def new_client(address: EngineAddress) -> EngineClient:
    return EngineClient(
        address,
        connection_limits=ConnectionLimits(connect_timeout_s=60.0),
        exchange_limits=ExchangeLimits(first_byte_timeout_s=60.0, chunk_timeout_s=60.0, whole_timeout_s=60.0),
        clock=SystemClock(),
    )


def replica_of(engine: EmbeddedEngine | UrlEngine) -> Replica:
    count = 1 if isinstance(engine, EmbeddedEngine) else None
    spec = Pool(name="demo", engine=engine, concurrency=1, replicas=count)
    return ReplicaPool(spec, SystemClock()).replicas[0]


async def wait_state(replica: Replica, state: ReplicaState, *, incarnation: int = 0) -> None:
    """Return once ``replica`` is in ``state``, in that life or a later one."""
    async with asyncio.timeout(60):
        while replica.state is not state or replica.incarnation < incarnation:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@asynccontextmanager
async def kept(keeper: LocalLauncher | UrlWatcher, replica: Replica) -> AsyncIterator[asyncio.Task[None]]:
    """Run a keeper for as long as the block."""
    task = asyncio.create_task(keeper.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        replica.close()
        await asyncio.sleep(0)


def weights_store(directory: Path) -> WeightsStore:
    return WeightsStore(packaged_model=PACKAGED, directory=directory / "weights", environment={})
