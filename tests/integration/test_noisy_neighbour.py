"""A noisy neighbour whose every refusal comes again at once, by official clients: quiet accounts are served as before.

Two engines without a model, with four places each, whose answers end one by one, when the test says so: what is judged
is the order in which answers begin, and never how long anything takes.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import openai
import pytest

from tests.fakes.fake_engine import FakeEngine
from tests.fakes.held_answers import WORD, HeldAnswers
from tests.integration.platform_process import PlatformProcess

PLACES, QUEUE = 8, 16
NOISY, AGAIN_AFTER_S = 30, 0.02
ROUNDS, FEW = 6, 1
MODEL = "accounts/servery/models/mock"
AMPLE = str(10**9)
LIMITS = ("prompt", "uncached-prompt", "generated")
WAITING, DISPLACED = 'servery_queue_waiting{pool="mock"}', 'servery_admissions{outcome="displaced",pool="mock"}'
HANGS_AFTER_S = 60.0
PATIENT = {  # nobody is refused and nothing is given up because a machine is slow
    "SERVERY_STANDARD_WAIT_BUDGET_S": "3600",
    "SERVERY_QUEUE_WAIT_LIMIT_S": "3600",
    "SERVERY_CHUNK_TIMEOUT_S": "3600",
}


class Account:
    """An account's official client, and what it saw: how many answers, whole, and the statuses of its refusals."""

    def __init__(self, name: str, client: openai.AsyncOpenAI) -> None:
        self.answers = 0
        self.refused: list[int] = []
        self._name = name
        self._client = client
        self._asked = 0

    async def ask(self) -> bool:
        """One streamed answer, or a refusal."""
        self._asked += 1
        prompt = f"{self._name} {self._asked} " * 100
        try:
            stream = await self._client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": prompt}], max_tokens=40, stream=True
            )
            events = [event async for event in stream]
        except openai.APIStatusError as refusal:
            self.refused.append(refusal.status_code)
            return False
        assert "".join(each.choices[0].delta.content or "" for each in events if each.choices) == WORD
        self.answers += 1
        return True

    async def insist(self, over: asyncio.Event) -> None:
        """Call again as soon as it was answered, and almost as soon as it was refused."""
        while not over.is_set():
            if not await self.ask():
                await asyncio.sleep(AGAIN_AFTER_S)


@pytest.fixture
async def engines() -> AsyncIterator[tuple[HeldAnswers, list[str]]]:
    held = HeldAnswers()
    async with FakeEngine(held) as one, FakeEngine(held) as other:
        yield held, [one.url, other.url]


@pytest.fixture
async def platform(tmp_path: Path, engines: tuple[HeldAnswers, list[str]]) -> AsyncIterator[PlatformProcess]:
    engine = {"kind": "url", "family": "openai", "urls": engines[1], "served_model": "mock"}
    model = {
        "pool": "mock",
        "context_length": 100_000,
        "capabilities": ["chat"],
        "prices": {"standard": {"input": 0.5, "cached_input": 0.25, "output": 1.5}},
        "created": "2026-11-20",
        "limits": dict.fromkeys(("prompt", "uncached_prompt", "generated"), int(AMPLE)),
    }
    pool = {"engine": engine, "concurrency": PLACES // 2, "queue": QUEUE}
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps({"account": "servery", "pools": {"mock": pool}, "models": {"mock": model}}))
    options = ["--catalog", str(catalog), "--limit-requests-per-minute", AMPLE]
    for limit in LIMITS:
        options += [f"--limit-start-{limit}-tokens-per-minute", AMPLE]
    running = PlatformProcess(tmp_path / "data", *options, environment={**os.environ, **PATIENT})
    await asyncio.to_thread(running.start)
    yield running
    await asyncio.to_thread(running.stop)


async def until(is_so: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(HANGS_AFTER_S):
            while not is_so():  # noqa: ASYNC110 - as somebody outside sees it
                await asyncio.sleep(0.002)
    except TimeoutError as error:
        raise AssertionError(f"waited in vain until {what}") from error


async def reading(metrics: httpx.AsyncClient, series: str) -> int:
    page = (await metrics.get("/metrics")).text
    return next(int(float(line.rpartition(" ")[2])) for line in page.splitlines() if line.startswith(f"{series} "))


async def come_in(quiet: Account, callers: asyncio.TaskGroup, metrics: httpx.AsyncClient) -> asyncio.Task[bool]:
    """``quiet`` asks while the queue is full. Returns when it waits there, in the place of another, which happens to
    nobody else; or when it was answered or refused."""
    async with asyncio.timeout(HANGS_AFTER_S):
        while await reading(metrics, WAITING) < QUEUE:
            pass
        displaced = await reading(metrics, DISPLACED)
        asking = callers.create_task(quiet.ask())
        while not asking.done() and await reading(metrics, DISPLACED) == displaced:
            pass
    return asking


async def take_turns(answers: HeldAnswers) -> None:
    """An answer ends, and its place is taken again: no place is idle while callers wait."""
    begun = len(answers.begun)
    answers.end_one()
    await until(lambda: len(answers.begun) > begun, "a free place is taken")
    assert answers.held == PLACES


async def test_a_storm_of_retries_costs_its_neighbours_nothing(
    platform: PlatformProcess, engines: tuple[HeldAnswers, list[str]]
) -> None:
    """The quiet account is never refused and waits for one place, not behind the storm; the noisy one is refused, and
    no place is idle or taken by what nobody gets."""
    answers, over = engines[0], asyncio.Event()
    async with AsyncExitStack() as stack:
        metrics = await stack.enter_async_context(httpx.AsyncClient(base_url=platform.base_url, timeout=60))
        accounts = []
        for name in ("noisy", "quiet"):
            key = await asyncio.to_thread(platform.new_key, name)
            client = openai.AsyncOpenAI(base_url=f"{platform.base_url}/v1", api_key=key, max_retries=0, timeout=600)
            accounts.append(Account(name, await stack.enter_async_context(client)))
        noisy, quiet = accounts
        callers = await stack.enter_async_context(asyncio.TaskGroup())
        for _ in range(NOISY):
            callers.create_task(noisy.insist(over))
        await until(lambda: answers.held == PLACES and len(noisy.refused) >= NOISY, "the storm rages")
        await take_turns(answers)
        for _ in range(ROUNDS):
            asking = await come_in(quiet, callers, metrics)
            assert not quiet.refused
            since, refused = len(answers.begun), len(noisy.refused)
            await until(lambda refused=refused: len(noisy.refused) >= refused + NOISY, "the storm rages on")
            while "quiet" not in answers.begun[since:]:
                await take_turns(answers)
                assert answers.begun[since:].count("noisy") <= FEW
            while not asking.done():
                await take_turns(answers)
        over.set()
        answers.end_all()
    assert noisy.answers + quiet.answers == len(answers.begun)
    assert set(noisy.refused) == {503}
    assert not quiet.refused
    assert quiet.answers == ROUNDS
