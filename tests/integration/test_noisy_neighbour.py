"""A noisy neighbour whose every refusal comes again at once, by official clients: quiet accounts are served as before.

Two engines without a model, whose queues are real, with four places each: ten answers a second are all that they have.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import openai
import pytest

from tests.integration.platform_process import PlatformProcess

PLACES, QUEUE, TOKENS, GAP_MS = 8, 16, 40, 20
NOISY, AGAIN_AFTER_S = 30, 0.1
CALM_S, STORM_S = 3.0, 7.0
MODEL = "accounts/servery/models/mock"
AMPLE = str(10**9)
LIMITS = ("prompt", "uncached-prompt", "generated")


class Seen(msgspec.Struct):
    """What the clients of one account saw: times to the first token in seconds, and refusals by status."""

    first_s: list[float] = []
    refused: list[int] = []

    @property
    def median_s(self) -> float:
        return sorted(self.first_s)[len(self.first_s) // 2]


@contextmanager
def engines() -> Iterator[list[str]]:
    command = [sys.executable, "-m", "benchmarks.policies.caching_engine", "--ports", "2", "--tokens-per-s", "8000"]
    command += ["--cache-tokens", "100000", "--block-tokens", "64", "--gap-ms", str(GAP_MS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())["ports"]
            yield [f"http://127.0.0.1:{port}" for port in ports]
        finally:
            process.terminate()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformProcess]:
    with engines() as urls:
        engine = {"kind": "url", "family": "openai", "urls": urls, "served_model": "mock"}
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
        with PlatformProcess(tmp_path / "data", *options) as running:
            yield running


def ask(client: openai.OpenAI, seen: Seen, number: int, *, counted_until_s: float) -> bool:
    """One streamed answer, or a refusal. Answers differ in length, so that places do not come free all at once."""
    tokens = TOKENS // 2 + 17 * number % TOKENS
    prompt = f"{number} " * 200
    began_s, first_s = time.monotonic(), None
    try:
        stream = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": prompt}], max_tokens=tokens, stream=True
        )
        for event in stream:
            if first_s is None and event.choices and event.choices[0].delta.content:
                first_s = time.monotonic() - began_s
    except openai.APIStatusError as refusal:
        seen.refused.append(refusal.status_code)
        return False
    assert first_s is not None
    if time.monotonic() < counted_until_s:
        seen.first_s.append(first_s)
    return True


def crowd(
    client: openai.OpenAI, *, threads: int, until_s: float, pause_s: float = 0.0
) -> tuple[Seen, list[threading.Thread]]:
    """So many callers, each of whom calls again as soon as it was answered, and almost as soon as it was refused."""
    seen = Seen()

    def call(who: int) -> None:
        number = 0
        while time.monotonic() < until_s:
            number += 1
            served = ask(client, seen, 1_000 * who + number, counted_until_s=until_s)
            time.sleep(pause_s if served else AGAIN_AFTER_S)

    callers = [threading.Thread(target=call, args=(who,)) for who in range(threads)]
    for caller in callers:
        caller.start()
    return seen, callers


def test_a_storm_of_retries_costs_its_neighbours_nothing(platform: PlatformProcess) -> None:
    """The quiet account is never refused and waits for one place, not behind the storm; the noisy one is refused, and
    the pool serves as much as when all its callers had places."""
    noisy, quiet = (
        openai.OpenAI(base_url=f"{platform.base_url}/v1", api_key=platform.new_key(name), max_retries=0, timeout=60)
        for name in ("noisy", "quiet")
    )
    with noisy, quiet:
        calm, callers = crowd(noisy, threads=PLACES, until_s=time.monotonic() + CALM_S)
        for caller in callers:
            caller.join()
        until_s = time.monotonic() + STORM_S
        storm, callers = crowd(noisy, threads=NOISY, until_s=until_s)
        time.sleep(0.5)
        still, others = crowd(quiet, threads=1, until_s=until_s, pause_s=0.2)
        for caller in (*callers, *others):
            caller.join()
    assert not still.refused
    assert len(still.first_s) >= 3
    assert still.median_s < storm.median_s / 3
    assert set(storm.refused) == {503}
    goodput, usual = (len(storm.first_s) + len(still.first_s)) / STORM_S, len(calm.first_s) / CALM_S
    assert goodput > 0.75 * usual
