"""A pool that is full: a bounded queue, Priority before Standard, and an honest 503 beyond it.

Its engine's answers end when the test says so, so that the pool is full for as long as that takes on any machine."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anthropic
import httpx
import openai
import pytest

from tests.fakes.fake_engine import FakeEngine
from tests.fakes.held_answers import HeldAnswers
from tests.integration.platform_process import MODEL, PlatformProcess, chat

QUEUE = 3
PRICES = {"standard": {"input": 1, "output": 1}, "priority": {"input": 2, "output": 2}}
PATIENT = {  # nobody is refused and nothing is given up because a machine is slow
    "SERVERY_STANDARD_WAIT_BUDGET_S": "3600",
    "SERVERY_QUEUE_WAIT_LIMIT_S": "3600",
    "SERVERY_CHUNK_TIMEOUT_S": "3600",
    "SERVERY_ANSWER_TIMEOUT_S": "3600",
}


@pytest.fixture
async def answers() -> HeldAnswers:
    return HeldAnswers()


@pytest.fixture
async def full(tmp_path: Path, answers: HeldAnswers) -> AsyncIterator[PlatformProcess]:
    async with FakeEngine(answers) as engine:
        kind = {"kind": "url", "family": "openai", "urls": [engine.url], "served_model": "mock"}
        only = {"engine": kind, "concurrency": 1, "queue": QUEUE}
        demo = {"pool": "only", "context_length": 2048, "capabilities": ["chat"], "prices": PRICES}
        (tmp_path / "catalog.json").write_text(
            json.dumps({"pools": {"only": only}, "models": {"demo": {**demo, "created": "2026-11-20"}}})
        )
        options = ("--catalog", str(tmp_path / "catalog.json"))
        running = PlatformProcess(tmp_path / "data", *options, environment={**os.environ, **PATIENT})
        await asyncio.to_thread(running.start)
        yield running
        answers.end_all()
        await asyncio.to_thread(running.stop)


@pytest.fixture
async def client(full: PlatformProcess) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {full.key}"}
    async with httpx.AsyncClient(base_url=f"{full.base_url}/inference/v1", headers=headers, timeout=180) as client:
        yield client


async def wait_for_queue(platform: PlatformProcess, client: httpx.AsyncClient, length: int) -> None:
    """Until the only place is taken, and so many wait for it."""
    wanted = (f'servery_queue_waiting{{pool="only"}} {length}.0', 'servery_replica_in_flight{replica="only/0"} 1.0')
    async with asyncio.timeout(120):
        page = ""
        while not all(line in page for line in wanted):
            page = (await client.get(f"{platform.base_url}/metrics")).text


async def test_queue_is_bounded_and_priority_goes_first(
    full: PlatformProcess, client: httpx.AsyncClient, answers: HeldAnswers
) -> None:
    """With the queue full of Standard, Standard is refused with 503 and Retry-After while Priority gets in: it takes
    the newest Standard's place, and is served before the others."""

    async def send(name: str, **fields: object) -> httpx.Response:
        return await client.post("/chat/completions", json=chat(f"{name} asks.", max_tokens=2, **fields))

    async with asyncio.TaskGroup() as callers:
        running = callers.create_task(send("running", stream=True))  # so that it has begun, and is not called back
        await wait_for_queue(full, client, 0)
        queued = []
        for number in range(QUEUE):
            queued.append(callers.create_task(send(f"standard-{number}")))
            await wait_for_queue(full, client, number + 1)
        refused = await send("refused")
        priority = callers.create_task(send("priority", service_tier="priority"))
        await asyncio.wait({queued[-1], priority}, return_when=asyncio.FIRST_COMPLETED)  # who has no place is told so
        answers.end_all()
    assert refused.status_code == 503
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["message"] == "service overloaded, please try again later"
    assert (running.result().status_code, priority.result().status_code) == (200, 200)
    assert [one.result().status_code for one in queued] == [200, 200, 503]
    assert answers.begun == ["running", "priority", "standard-0", "standard-1"]
    assert priority.result().json()["service_tier"] == "priority"


async def test_sdks_see_an_overloaded_server(
    full: PlatformProcess, client: httpx.AsyncClient, answers: HeldAnswers
) -> None:
    """Official clients raise their own errors for a 503, in both dialects."""
    ask = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    async with (
        asyncio.TaskGroup() as callers,
        openai.AsyncOpenAI(base_url=f"{full.base_url}/v1", api_key=full.key, max_retries=0) as one,
        anthropic.AsyncAnthropic(base_url=full.base_url, api_key=full.key, max_retries=0) as other,
    ):
        calls = [callers.create_task(client.post("/chat/completions", json=chat(f"Go on {n}."))) for n in range(4)]
        await wait_for_queue(full, client, QUEUE)
        with pytest.raises(openai.InternalServerError) as refused:
            await one.chat.completions.create(**ask)
        assert refused.value.status_code == 503
        with pytest.raises(anthropic.APIStatusError) as refused:
            await other.messages.create(**ask)
        assert refused.value.status_code == 503
        assert refused.value.body["error"]["type"] == "overloaded_error"
        answers.end_all()
    assert [call.result().status_code for call in calls] == [200] * 4
