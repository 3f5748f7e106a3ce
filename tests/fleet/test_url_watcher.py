"""Engines that somebody else runs: ready and down as they answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.fakes.engine_scripts import answers
from tests.fakes.fake_engine import FakeEngine
from tests.fleet.keeping import Steps, kept, new_client, replica_of, wait_state

from servery.catalog.engine import UrlEngine
from servery.core.engine_family import EngineFamily
from servery.fleet.prober import ProbePace
from servery.fleet.replica import Replica, ReplicaState
from servery.fleet.url_watcher import UrlWatcher

PACE = ProbePace(interval_s=0.01, timeout_s=2.0, failures_to_down=2)


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(answers()) as engine:
        yield engine


def watched(engine: FakeEngine, family: EngineFamily = EngineFamily.VLLM) -> tuple[Replica, UrlWatcher, Steps]:
    replica = replica_of(UrlEngine(family=family, urls=(engine.url,), served_model="m"))
    steps = Steps()
    watcher = UrlWatcher(replica, new_client(engine.address(family)), pace=PACE, progress=steps)
    return replica, watcher, steps


async def test_an_engine_that_answers_is_ready(engine: FakeEngine) -> None:
    """Asked where its family tells of its health; then again at its pace."""
    for family, path in ((EngineFamily.VLLM, "/health"), (EngineFamily.OPENAI, "/v1/models")):
        engine.probes.clear()
        replica, watcher, steps = watched(engine, family)
        async with kept(watcher, replica):
            await wait_state(replica, ReplicaState.READY)
            while len(engine.probes) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert {probe.path for probe in engine.probes} == {path}
        assert steps.told == [("ready", "demo/0")]


async def test_an_engine_that_falls_ill_is_down_until_it_is_well(engine: FakeEngine) -> None:
    """After as many failures as are allowed for, and again ready as soon as it answers."""
    replica, watcher, steps = watched(engine)
    async with kept(watcher, replica):
        await wait_state(replica, ReplicaState.READY)
        engine.health_status = 500
        await wait_state(replica, ReplicaState.DOWN)
        assert replica.reason
        engine.health_status = 200
        await wait_state(replica, ReplicaState.READY)
    assert [step for step, _ in steps.told if step == "ready"] == ["ready", "ready"]


async def test_one_failure_is_forgiven(engine: FakeEngine) -> None:
    """A single probe that fails changes nothing."""
    replica, watcher, _ = watched(engine)
    states: list[ReplicaState] = []
    replica._on_change = lambda: states.append(replica.state)
    async with kept(watcher, replica):
        await wait_state(replica, ReplicaState.READY)
        seen = len(engine.probes)
        engine.health_status = 500
        while len(engine.probes) == seen:  # noqa: ASYNC110
            await asyncio.sleep(0)
        engine.health_status = 200
        while len(engine.probes) < seen + 4:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert states == [ReplicaState.READY]


async def test_an_engine_that_is_not_there_yet_is_waited_for(engine: FakeEngine) -> None:
    """Down while nobody listens, ready once somebody does."""
    replica, watcher, _ = watched(engine)
    await engine.stop()
    async with kept(watcher, replica):
        await wait_state(replica, ReplicaState.DOWN)
        assert "cannot be reached" in replica.reason
        await engine.start()
        await wait_state(replica, ReplicaState.READY)
