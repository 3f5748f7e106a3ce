"""Several workers on one port, as clients and the operator see them."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.platform_process import MODEL, PlatformProcess, chat

_LIMIT_S = 120.0


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with PlatformProcess(tmp_path_factory.mktemp("crew") / "data", "--workers", "2") as running:
        yield running


def workers(platform: PlatformProcess) -> list[int]:
    """Process ids of the platform's workers."""
    found = subprocess.run(
        ["pgrep", "-P", str(platform.pid), "-f", "servery.workers.worker"], capture_output=True, text=True, check=False
    )
    return [int(one) for one in found.stdout.split()]


def served(platform: PlatformProcess) -> dict[str, float]:
    """Completed requests by worker, as the metrics page tells them."""
    page = httpx.get(f"{platform.base_url}/metrics", timeout=60).text
    told = re.findall(r'^servery_requests_total\{.*outcome="completed".*worker="(\d)"\} (\S+)$', page, re.MULTILINE)
    sums: dict[str, float] = {}
    for worker, number in told:
        sums[worker] = sums.get(worker, 0.0) + float(number)
    return sums


def ask(platform: PlatformProcess) -> int:
    """One chat over a connection of its own; the status."""
    with platform.client() as client:
        return client.post("/chat/completions", json=chat("Who are you?", max_tokens=4)).status_code


def wait_limited(platform: PlatformProcess, account: str, generated: str) -> None:
    """Until each worker knows of the limit: 24 connections in a row do not all lead to the same."""
    deadline, agreeing = time.monotonic() + _LIMIT_S, 0
    while agreeing < 24:
        assert time.monotonic() < deadline, "a limit is noticed"
        told = httpx.get(
            f"{platform.base_url}/v1/accounts/{account}/serverlessRateLimits",
            params={"deployment": MODEL},
            headers={"x-api-key": platform.key},
            timeout=60,
        ).json()["rateLimits"]
        limits = {one["metric"]: one["effectiveLimit"] for one in told}
        agreeing = agreeing + 1 if limits["TOKENS_GENERATED"] == generated else 0


def test_both_serve_and_the_books_have_all(crew: PlatformProcess) -> None:
    """New connections are dealt out among the workers; metrics asked of either tell of both; the ledger has every
    request once."""
    before = crew.usage("default")["requests"]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: ask(crew), range(40)))
    assert statuses == [200] * 40
    told = served(crew)
    assert set(told) == {"0", "1"}
    assert sum(told.values()) == 40
    assert crew.usage("default")["requests"] - before == 40
    assert crew.command("ledger", "verify").returncode == 0


def test_why_a_request_was_refused_is_known_to_both(crew: PlatformProcess) -> None:
    """The receipt of a refusal is found on any connection, whichever worker it leads to."""
    with crew.client() as client:
        refused = client.post("/chat/completions", json=chat("Who are you?", max_tokens=-1))
    assert refused.status_code == 400
    request_id = refused.headers["x-request-id"]
    path = f"{crew.base_url}/v1/accounts/default/requests/{request_id}"

    def code(_: int) -> str:
        with crew.client() as client:
            return str(client.get(path).json()["code"])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(code, range(24))) == {"INVALID_ARGUMENT"}


def test_a_receipt_is_found_at_once(crew: PlatformProcess) -> None:
    """On any connection, whichever worker has served the request and whichever is asked."""
    for _ in range(8):
        with crew.client() as client:
            answer = client.post("/chat/completions", json=chat("Who are you?", max_tokens=2))
        request_id = answer.headers["x-request-id"]
        receipt = httpx.get(
            f"{crew.base_url}/v1/accounts/default/requests/{request_id}",
            headers={"Authorization": f"Bearer {crew.key}"},
            timeout=60,
        )
        assert receipt.status_code == 200, receipt.text


def test_an_account_has_its_limits_once(crew: PlatformProcess) -> None:
    """Whichever worker its requests come to: what the operator has fixed is not given twice."""
    key = crew.new_key("frugal")
    fixed = crew.command("limits", "set", MODEL, "--account", "frugal", "--generated", "120")
    assert fixed.returncode == 0, fixed.stderr
    wait_limited(crew, "frugal", "120")

    def spend() -> int:
        with crew.client(key) as client:
            body = chat("Who are you?", max_tokens=10, ignore_eos=True)
            return client.post("/chat/completions", json=body).status_code

    began_s = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: spend(), range(48)))
    took_s = time.monotonic() - began_s
    assert set(statuses) == {200, 429}
    used = crew.usage("frugal")["generated_tokens"]
    assert used == 10 * statuses.count(200)
    assert 60 <= used <= 120 + 2 * took_s + 10


def test_a_killed_worker_is_replaced(crew: PlatformProcess) -> None:
    """The other goes on serving, and a new one takes the place of the killed."""
    first = workers(crew)
    assert len(first) == 2
    with crew.client() as client:
        model = client.get("/models").json()["data"][0]["id"]
        assert model == MODEL
    subprocess.run(["kill", "-9", str(first[0])], check=True)
    deadline = time.monotonic() + _LIMIT_S
    while first[0] in workers(crew) or len(workers(crew)) < 2:
        assert time.monotonic() < deadline, "no worker came in its place"
        time.sleep(0.1)
    while set(served(crew)) != {"0", "1"} and ask(crew) == 200:
        assert time.monotonic() < deadline, "the new worker serves nothing"


def test_an_engine_that_dies_is_told_to_all(crew: PlatformProcess) -> None:
    """The supervisor starts it again, and both workers follow it to its new address."""
    engine = crew.engines()["fast-0"]
    subprocess.run(["kill", "-9", str(engine)], check=True)
    deadline = time.monotonic() + _LIMIT_S
    pattern = re.compile(r'^servery_replica_restarts\{replica="fast/0",worker="(\d)"\} 1\.0$', re.MULTILINE)
    ready = re.compile(r'^servery_replica_ready\{replica="fast/0",worker="\d"\} 1\.0$', re.MULTILINE)
    page = ""
    while len(pattern.findall(page)) != 2 or len(ready.findall(page)) != 2:
        assert time.monotonic() < deadline, page
        page = httpx.get(f"{crew.base_url}/metrics", timeout=60).text


def test_it_ends_in_good_order(tmp_path: Path) -> None:
    """SIGTERM to the supervisor ends workers and engines; the status is 0."""
    with PlatformProcess(tmp_path / "data", "--workers", "2") as platform:
        assert ask(platform) == 200
        children = workers(platform) + list(platform.engines().values())
        assert platform.stop(signal.SIGTERM) == 0
        assert [child for child in children if Path(f"/proc/{child}").exists()] == []


def test_every_worker_needs_a_place(tmp_path: Path) -> None:
    """More workers than a pool takes requests at once are refused, with the pool's name."""
    refused = subprocess.run(
        [sys.executable, "-m", "servery", "serve", "--workers", "200", "--data-dir", str(tmp_path), "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert refused.returncode != 0
    assert "--workers 200: the pool" in refused.stderr
