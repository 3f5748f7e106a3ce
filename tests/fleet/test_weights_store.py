"""Weights are brought once, however many replicas want them, and are then here."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from tests.fakes.fake_hub import FakeHub

from servery.catalog.engine import EmbeddedEngine
from servery.catalog.pool import Pool
from servery.catalog.weights import Weights
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.fleet.fleet import Fleet, FleetParts
from servery.fleet.local_launcher import LaunchLimits
from servery.fleet.prober import ProbePace
from servery.fleet.replica import ReplicaState
from servery.fleet.weights_store import WeightsStore
from servery.fleet.weights_unavailable import WeightsUnavailable

WAIT_LIMIT_S = 180.0
PACKAGED = Path(str(resources.files("servery") / "assets" / "servery-demo.gguf"))
SMALL = b"GGUF" + bytes(50_000)
TINY = Weights.parse("org/tiny:Q8_0", Path())
NOTHING = Weights.parse("org/nothing", Path())


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub({"org/tiny": {"tiny-Q8_0.gguf": SMALL}}) as serving:
        yield serving


def store_at(hub: FakeHub, home: Path) -> WeightsStore:
    return WeightsStore(
        packaged_model=PACKAGED, directory=home / "models", environment=hub.environment(home / "hub-home")
    )


@pytest.fixture
def store(hub: FakeHub, tmp_path: Path) -> WeightsStore:
    return store_at(hub, tmp_path)


def never() -> None:
    pytest.fail("nothing is to be downloaded")


def children() -> list[int]:
    """The processes of ours that download, from the system's own table."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"servery.fleet.hub_download" in command and int(parent) == os.getpid():
            found.append(int(entry.name))
    return found


async def test_what_is_here_is_not_downloaded(store: WeightsStore, tmp_path: Path) -> None:
    """The packaged model and a file are where they are."""
    file = tmp_path / "my.gguf"
    file.write_bytes(SMALL)
    assert await store.file(Weights.parse("demo", tmp_path), on_download=never) == PACKAGED
    assert await store.file(Weights.parse("my.gguf", tmp_path), on_download=never) == file
    assert not (tmp_path / "models").exists()


async def test_many_askers_are_one_download(hub: FakeHub, store: WeightsStore) -> None:
    """All get the same file, and one of them is told of the download."""
    told: list[int] = []
    files = await asyncio.gather(*(store.file(TINY, on_download=lambda: told.append(1)) for _ in range(5)))
    assert files[0].read_bytes() == SMALL
    assert set(files) == {files[0]}
    assert len(hub.downloads()) == 1
    assert told == [1]


async def test_the_second_time_needs_no_network(tmp_path: Path) -> None:
    """A new store finds what an earlier one brought, also after the directory was moved; nobody is asked."""
    with FakeHub({"org/tiny": {"tiny-Q8_0.gguf": SMALL}}) as hub:
        first = await store_at(hub, tmp_path).file(TINY, on_download=lambda: None)
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "models", tmp_path / "moved" / "models")
    again = await store_at(hub, tmp_path / "moved").file(TINY, on_download=never)
    assert again == tmp_path / "moved" / first.relative_to(tmp_path)
    assert again.read_bytes() == SMALL


async def test_a_file_that_is_gone_is_brought_again(hub: FakeHub, store: WeightsStore, tmp_path: Path) -> None:
    """So is one whose note is damaged; where the file itself is well, it is not sent again."""
    file = await store.file(TINY, on_download=lambda: None)
    file.unlink()
    assert (await store.file(TINY, on_download=lambda: None)).read_bytes() == SMALL
    assert len(hub.downloads()) == 2
    (tmp_path / "models" / "index.json").write_text('{"org/ti')
    assert (await store.file(TINY, on_download=lambda: None)).read_bytes() == SMALL
    assert len(hub.downloads()) == 2


async def test_a_failure_is_everybodys(hub: FakeHub, store: WeightsStore) -> None:
    """Those who waited for one attempt do not each make their own; who asks later does."""
    outcomes = await asyncio.gather(
        *(store.file(NOTHING, on_download=lambda: None) for _ in range(4)), return_exceptions=True
    )
    assert all(isinstance(outcome, WeightsUnavailable) for outcome in outcomes)
    assert "has no repository org/nothing" in str(outcomes[0])
    assert len(set(map(str, outcomes))) == 1
    assert len(hub.requests) == 1
    hub.repositories["org/nothing"] = {"now.gguf": SMALL}
    assert (await store.file(NOTHING, on_download=lambda: None)).name == "now.gguf"


async def test_cancelling_ends_the_child(hub: FakeHub, store: WeightsStore, tmp_path: Path) -> None:
    """No process and no partial file is left, and the next one who waits begins anew."""
    hub.stalled.add("tiny-Q8_0.gguf")
    first = asyncio.create_task(store.file(TINY, on_download=lambda: None))
    assert await asyncio.to_thread(hub.began.wait, WAIT_LIMIT_S)
    second = asyncio.create_task(store.file(TINY, on_download=lambda: None))
    (child,) = children()
    hub.stalled.clear()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert child not in children()
    assert (await second).read_bytes() == SMALL
    assert children() == []
    assert not list((tmp_path / "models").rglob("*.incomplete"))


async def test_a_child_that_is_killed_is_a_failure(hub: FakeHub, store: WeightsStore) -> None:
    """Told with its status, not waited for."""
    hub.stalled.add("tiny-Q8_0.gguf")
    asked = asyncio.create_task(store.file(TINY, on_download=lambda: None))
    assert await asyncio.to_thread(hub.began.wait, WAIT_LIMIT_S)
    (child,) = children()
    os.kill(child, 9)
    with pytest.raises(WeightsUnavailable, match="the download of org/tiny:Q8_0 ended with status -9"):
        await asked


class Told:
    """Progress, as a list."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, ...]] = []
        self.failed_twice = asyncio.Event()

    def downloading(self, replica: str, model: str) -> None:
        self.lines.append(("downloading", replica, model))

    def starting(self, replica: str, model: str) -> None:
        self.lines.append(("starting", replica, model))

    def ready(self, replica: str, *, seconds: float) -> None:
        self.lines.append(("ready", replica))

    def failed(self, replica: str, reason: str) -> None:
        self.lines.append(("failed", replica, reason))
        if sum(line[0] == "failed" for line in self.lines) == 2:
            self.failed_twice.set()


def no_client(address: EngineAddress) -> EngineClient:
    raise AssertionError(f"no engine is to be started, yet one is at {address.host}")


async def test_a_replica_says_why_it_has_no_weights(hub: FakeHub, store: WeightsStore, tmp_path: Path) -> None:
    """The reason is the replica's, no engine is started, and it is tried again after a pause that grows."""
    told = Told()
    pool = Pool(name="shared", engine=EmbeddedEngine(model=NOTHING), concurrency=1, replicas=1)
    parts = FleetParts(
        weights=store,
        log_directory=tmp_path / "logs",
        engine_keys={},
        limits=LaunchLimits(first_backoff_s=0.01, max_backoff_s=30.0),
        pace=ProbePace(),
        clients=no_client,
        progress=told,
    )
    fleet = Fleet({"shared": pool}, parts)
    running = asyncio.create_task(fleet.run())
    async with asyncio.timeout(WAIT_LIMIT_S):
        await told.failed_twice.wait()
    (replica,) = fleet.pools["shared"].replicas
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert replica.state is ReplicaState.DOWN
    assert replica.reason.startswith(f"{hub.url} has no repository org/nothing")
    assert told.lines[:2] == [("downloading", "shared/0", "org/nothing"), ("failed", "shared/0", replica.reason)]
    assert not any(line[0] == "starting" for line in told.lines)
