"""Engines killed at random under many streams: every request ends, every end is in the books as its client saw it.

Some seconds of it with few streams in the ordinary run; ``make test-kills`` takes two minutes with a hundred.
"""

import logging
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.platform_process import PlatformProcess, chat
from tests.integration.streams import End, read_stream

SECONDS = float(os.environ.get("KILL_TEST_SECONDS", "6"))
STREAMS = int(os.environ.get("KILL_TEST_STREAMS", "16"))
SEED = int(os.environ.get("KILL_TEST_SEED", "7"))
HUNG_AFTER_S = 180.0

CATALOG = """
pools:
  several:
    engine: {kind: embedded, model: demo, slots: 16, context_length: 2048, threads: 1}
    replicas: 3
    concurrency: 12
    queue: 200
models:
  demo:
    pool: several
    context_length: 2048
    capabilities: [chat]
    limits: {prompt: 100000000, uncached_prompt: 100000000, generated: 100000000}
    prices: {standard: {input: 1, output: 2}, priority: {input: 1, output: 2}}
    created: 2026-11-20
"""


class Clients:
    """Each asks again as soon as it has its answer, until the time is over and one was answered whole, however slow the
    machine; ``ends`` are by request id."""

    def __init__(self, platform: PlatformProcess) -> None:
        self._platform = platform
        self._until_s = time.monotonic() + SECONDS
        self._lock = threading.Lock()
        self.ends: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(STREAMS)]

    @property
    def is_time(self) -> bool:
        late_s = time.monotonic() - self._until_s
        return late_s < 0 or (late_s < HUNG_AFTER_S and not self.counts[End.COMPLETE.name])

    def _ask(self, number: int) -> None:
        chance = random.Random(f"{SEED}/{number}")
        with self._platform.client() as client:
            while self.is_time:
                body = chat(
                    f"Tell me a story {number} {chance.random()}",
                    max_tokens=chance.choice([5, 50, 300]),
                    ignore_eos=True,
                    service_tier=chance.choice(["priority", "default"]),
                )
                request_id, end = self._streamed(client, body) if chance.random() < 0.8 else self._whole(client, body)
                with self._lock:
                    self.ends[request_id] = end
                    self.counts[end] += 1

    def _streamed(self, client: httpx.Client, body: dict[str, object]) -> tuple[str, str]:
        seen = read_stream(client, body)
        return seen.request_id, f"{seen.status}" if seen.end is End.REFUSED else seen.end.name

    def _whole(self, client: httpx.Client, body: dict[str, object]) -> tuple[str, str]:
        response = client.post("/chat/completions", json=body)
        whole = End.COMPLETE.name if response.status_code == 200 else f"{response.status_code}"
        return response.headers["x-request-id"], whole


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformProcess]:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    options = ["--catalog", str(tmp_path / "catalog.yaml"), "--log-level", "warning"]
    options += ["--limit-start-generated-tokens-per-minute", "100000000"]
    # A hundred that are refused for want of an engine ask again at once: that must not become another refusal.
    options += ["--limit-requests-per-minute", "10000000", "--limit-unfunded-requests-per-minute", "10000000"]
    with PlatformProcess(tmp_path / "data", *options) as running:
        yield running


def booked(platform: PlatformProcess) -> dict[str, str]:
    """Outcomes in the books, by request id."""
    platform.wait_in_books()
    with sqlite3.connect(platform.data_dir / "servery.db") as books:
        return dict(books.execute("SELECT request_id, outcome FROM usage_records").fetchall())


def test_no_request_is_lost_when_engines_are_killed(platform: PlatformProcess) -> None:
    """No client hangs; a stream that ended whole is booked as completed and no other; one that broke off is booked as
    broken; what was refused is not booked; and the books hold."""
    clients = Clients(platform)
    chance = random.Random(SEED)
    for thread in clients.threads:
        thread.start()
    killed = 0
    while clients.is_time or killed < SECONDS / 6:
        time.sleep(chance.uniform(0.3, 2.0))
        if engines := list(platform.engines().values()):
            os.kill(chance.choice(engines), signal.SIGKILL)
            killed += 1
    for thread in clients.threads:
        thread.join(HUNG_AFTER_S)
    assert [thread for thread in clients.threads if thread.is_alive()] == []
    logging.getLogger(__name__).warning("%s kills, ends: %s", killed, dict(clients.counts))
    assert clients.counts[End.COMPLETE.name] > 0
    assert set(clients.counts) <= {End.COMPLETE.name, End.ERROR_FRAME.name, "502", "503"}
    expected = {End.COMPLETE.name: "completed", End.ERROR_FRAME.name: "engine_broke"}
    assert platform.stop() == 0
    books = booked(platform)
    assert {name: books.get(name) for name in clients.ends} == {
        name: expected.get(end) for name, end in clients.ends.items()
    }
    assert books.keys() <= clients.ends.keys()
    assert platform.command("ledger", "verify").returncode == 0
    assert "Traceback" not in platform.output
