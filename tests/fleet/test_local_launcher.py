"""Embedded engines as real child processes: started, killed, started again, never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.child_environment import child_environment
from tests.fakes.engine_scripts import answers
from tests.fakes.fake_engine import FakeEngine
from tests.fleet.engine_processes import engines_of, is_alive, told_of, wait_gone
from tests.fleet.keeping import LIMITS, PACE, Steps, kept, new_client, replica_of, wait_state, weights_store

from servery.catalog.engine import EmbeddedEngine
from servery.catalog.weights import Weights
from servery.core.engine_family import EngineFamily
from servery.engines.address import EngineAddress
from servery.engines.client import EngineClient
from servery.fleet.local_launcher import LaunchLimits, LocalLauncher
from servery.fleet.replica import Replica, ReplicaState

ROOT = Path(__file__).parents[2]


def demo(model: str = "demo") -> EmbeddedEngine:
    return EmbeddedEngine(model=Weights.parse(model, Path()), slots=1, context_length=256)


class Launched:
    """A launcher of one replica, and what it told."""

    def __init__(self, directory: Path, engine: EmbeddedEngine, limits: LaunchLimits = LIMITS) -> None:
        self.replica: Replica = replica_of(engine)
        self.steps = Steps()
        self.address: EngineAddress | None = None
        self.launcher = LocalLauncher(
            self.replica,
            engine,
            weights=weights_store(directory),
            log_file=directory / "engine.log",
            limits=limits,
            pace=PACE,
            clients=self._client,
            progress=self.steps,
        )

    def _client(self, address: EngineAddress) -> EngineClient:
        self.address = address
        return new_client(address)


async def test_an_engine_is_started_killed_and_started_again(tmp_path: Path) -> None:
    """It answers; killed, it comes back as another incarnation with another key; stopped, no process is left."""
    launched = Launched(tmp_path, demo())
    replica = launched.replica
    async with kept(launched.launcher, replica):
        await wait_state(replica, ReplicaState.READY)
        assert b"ok" in await replica.client.call("GET", "/health", timeout_s=60)
        first_key = launched.address.api_key if launched.address else None
        (process,) = engines_of(os.getpid())
        os.kill(process, signal.SIGKILL)
        await wait_state(replica, ReplicaState.READY, incarnation=2)
        assert ("failed", "ended with status -9") in launched.steps.told
        assert replica.restarts == 1
        (again,) = engines_of(os.getpid())
        assert again != process
        assert launched.address is not None
        assert launched.address.api_key != first_key
        assert b"ok" in await replica.client.call("GET", "/health", timeout_s=60)
    assert not is_alive(again)
    assert engines_of(os.getpid()) == set()
    assert [step for step, _ in launched.steps.told] == ["starting", "ready", "failed", "starting", "ready"]


async def test_the_key_is_in_nobodys_sight(tmp_path: Path) -> None:
    """Neither in the process's arguments nor in its environment; without it the engine refuses."""
    launched = Launched(tmp_path, demo())
    async with kept(launched.launcher, launched.replica):
        await wait_state(launched.replica, ReplicaState.READY)
        (process,) = engines_of(os.getpid())
        assert launched.address is not None
        key = (launched.address.api_key or "").encode()
        assert len(key) == 48
        for told in told_of(process):
            assert key not in told


async def test_a_broken_model_file_is_told(tmp_path: Path) -> None:
    """The replica is down with the engine's own last words, and is tried again."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x00" * 100)
    launched = Launched(tmp_path, demo(str(broken)))
    async with kept(launched.launcher, launched.replica) as task:
        await wait_state(launched.replica, ReplicaState.DOWN)
        assert launched.replica.reason.startswith("did not start: ")
        assert len(launched.replica.reason) > len("did not start: ")
        while launched.replica.restarts < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not task.done()
    assert engines_of(os.getpid()) == set()


async def test_an_engine_that_never_becomes_well_is_given_up(tmp_path: Path) -> None:
    """Whatever it answers until then, such as 503 while it loads: only its own replica is down, and it is tried
    again."""
    async with FakeEngine(answers()) as loading:
        loading.health_status = 503
        launched = Launched(tmp_path, demo(), LaunchLimits(startup_timeout_s=1.0, first_backoff_s=5.0))
        launched.launcher._clients = lambda address: new_client(loading.address(EngineFamily.LLAMA_CPP))
        async with kept(launched.launcher, launched.replica) as task:
            await wait_state(launched.replica, ReplicaState.DOWN)
            assert not task.done()
            assert engines_of(os.getpid()) == set()


async def test_an_engine_that_dies_before_it_is_well_is_not_waited_for(tmp_path: Path) -> None:
    """Its end is seen at once, not when the time to start has run out."""
    async with FakeEngine(answers()) as loading:
        loading.health_status = 503
        launched = Launched(tmp_path, demo(), LaunchLimits(startup_timeout_s=600.0, first_backoff_s=5.0))
        launched.launcher._clients = lambda address: new_client(loading.address(EngineFamily.LLAMA_CPP))
        async with kept(launched.launcher, launched.replica):
            async with asyncio.timeout(60):
                while not loading.probes:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            (process,) = engines_of(os.getpid())
            os.kill(process, signal.SIGKILL)
            await wait_state(launched.replica, ReplicaState.DOWN)
            assert launched.replica.reason.startswith("did not start: ")


async def test_an_engine_that_hangs_is_replaced(tmp_path: Path) -> None:
    """A stopped process does not answer: it is killed, though it cannot leave by itself, and another takes over."""
    limits = LaunchLimits(stop_timeout_s=0.1, first_backoff_s=0.01)
    launched = Launched(tmp_path, demo(), limits)
    launched.launcher._pace = type(PACE)(interval_s=0.02, timeout_s=1.5, failures_to_down=2)
    async with kept(launched.launcher, launched.replica):
        await wait_state(launched.replica, ReplicaState.READY)
        (process,) = engines_of(os.getpid())
        os.kill(process, signal.SIGSTOP)
        await wait_state(launched.replica, ReplicaState.READY, incarnation=2)
        await wait_gone(process)
    assert any(reason.startswith("does not answer") for step, reason in launched.steps.told if step == "failed")
    assert engines_of(os.getpid()) == set()


async def test_a_launcher_that_is_cancelled_while_starting_leaves_no_process(tmp_path: Path) -> None:
    """At whatever moment."""
    for delay_s in (0.0, 0.02, 0.15):
        launched = Launched(tmp_path, demo())
        async with kept(launched.launcher, launched.replica):
            await asyncio.sleep(delay_s)
        assert engines_of(os.getpid()) == set()


PARENT = """
import asyncio, sys
from pathlib import Path
from tests.fleet.test_local_launcher import Launched, demo
from servery.fleet.replica import ReplicaState

async def main():
    launched = Launched(Path(sys.argv[1]), demo())
    asyncio.get_running_loop().create_task(launched.launcher.run())
    while launched.replica.state is not ReplicaState.READY:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_an_engine_does_not_outlive_a_platform_that_is_killed(tmp_path: Path) -> None:
    """Nobody is left to stop it; it sees that its standard input has closed."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        str(tmp_path),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=child_environment(),
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"ready\n"
    (engine,) = engines_of(parent.pid)
    parent.kill()
    await parent.wait()
    await wait_gone(engine)


def test_there_is_a_packaged_model() -> None:
    """The tests above load it."""
    if not (ROOT / "src" / "servery" / "assets" / "servery-demo.gguf").is_file():
        pytest.fail("the packaged model is missing")
