"""A vLLM that is busy, left, full or killed, behind the platform."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engines_vllm.asking import chat, completion, fresh
from tests.engines_vllm.conftest import platform_before
from tests.engines_vllm.vllm_process import QUEUED, SEQUENCES, VllmProcess
from tests.integration.platform_process import PlatformProcess
from tests.integration.streams import End, read_stream

WAIT_LIMIT_S = 60.0
LONG = {"max_tokens": 1_500, "temperature": 1.0}


def wait_until(holds: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + WAIT_LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, f"waited too long until {what}"
        time.sleep(0.05)


def replicas(client: httpx.Client, platform: PlatformProcess) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(f"{platform.base_url}/health").json()["replicas"]
    return shown


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_the_engine(
    platform: PlatformProcess, client: httpx.Client, engine: VllmProcess, stream: bool
) -> None:
    """The engine's own count of running requests returns to none long before the answer would have been whole."""
    body = {**chat(fresh(100), **LONG), "stream": stream}
    if stream:
        with client.stream("POST", "/chat/completions", json=body) as response:
            for number, _ in enumerate(response.iter_lines()):
                if number == 40:
                    break
    else:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/chat/completions", json=body, timeout=1.0)
    left_s = time.monotonic()
    wait_until(lambda: engine.gauge("num_requests_running") == 0, what="the engine stops")
    assert time.monotonic() - left_s < 2.0
    wait_until(lambda: replicas(client, platform)["tiny/0"]["in_flight"] == 0, what="the platform knows")


def test_the_engines_load_is_shown(platform: PlatformProcess, client: httpx.Client) -> None:
    """Running and waiting requests, the share of its cache, what its prompt cache gave; in health and in metrics."""
    with ThreadPoolExecutor(SEQUENCES + 2) as callers:
        calls = [callers.submit(read_stream, client, chat(fresh(500), **LONG)) for _ in range(SEQUENCES + 2)]
        wait_until(
            lambda: (
                [replicas(client, platform)["tiny/0"]["load"][name] for name in ("running", "waiting")]
                == [SEQUENCES, 2]
            ),
            what="the load is seen",
        )
        load = replicas(client, platform)["tiny/0"]["load"]
        told = httpx.get(f"{platform.base_url}/metrics").text
        assert {call.result().end for call in calls} == {End.COMPLETE}
    assert 0 < load["kv_usage"] < 1
    assert 0 <= load["prefix_cache_hits"] <= load["prefix_cache_queries"]
    assert not load["is_stale"]
    assert f'servery_engine_running{{replica="tiny/0"}} {SEQUENCES}.0' in told
    assert 'servery_engine_waiting{replica="tiny/0"} 2.0' in told
    assert 'servery_engine_kv_usage{replica="tiny/0"} 0.' in told


def test_priority_goes_first_inside_the_engine(client: httpx.Client, engine: VllmProcess) -> None:
    """A late request of Priority overtakes what waits inside the engine: its smaller number goes first there."""
    ended: list[str] = []
    lock = threading.Lock()

    def call(name: str, **fields: Any) -> None:
        response = client.post("/completions", json=completion(fresh(50), max_tokens=1_200, **fields))
        assert response.status_code == 200, response.text
        with lock:
            ended.append(name)

    with ThreadPoolExecutor(QUEUED) as callers:
        calls = [callers.submit(call, "standard") for _ in range(SEQUENCES)]
        wait_until(lambda: engine.gauge("num_requests_running") == SEQUENCES, what="the engine is busy")
        calls += [callers.submit(call, "standard") for _ in range(QUEUED - SEQUENCES - 1)]
        wait_until(lambda: engine.gauge("num_requests_waiting") == QUEUED - SEQUENCES - 1, what="the engine is full")
        calls.append(callers.submit(call, "priority", service_tier="priority"))
        for each in calls:
            each.result()
    assert ended.index("priority") < 2 * SEQUENCES, ended


def test_a_full_engine_is_a_503(engine: VllmProcess, tmp_path: Path) -> None:
    """With a time to come back at; what the engine took is served. The platform has not seen yet how slow it is, and
    lets wait whoever has no place, so that the engine is the one that refuses."""
    with (
        platform_before([engine], tmp_path, queue_wait_limit_s=600) as platform,
        platform.client() as client,
        ThreadPoolExecutor(40) as callers,
    ):
        calls = [
            callers.submit(client.post, "/completions", json=completion(fresh(50), max_tokens=600)) for _ in range(40)
        ]
        answers = [call.result() for call in calls]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= QUEUED
    for answer in answers:
        if answer.status_code == 503:
            assert float(answer.headers["retry-after"]) > 0
            assert answer.json()["error"]["code"] == "server_overloaded"
            assert "engine" not in answer.json()["error"]["message"]


def test_a_killed_engine_takes_only_its_own_streams(model: Path, engine: VllmProcess, tmp_path: Path) -> None:
    """Two engines, one killed under load: its streams end with an error frame, the other's go on, new requests find
    the other; and the first is used again once it is back. The books hold."""
    with (
        VllmProcess(model, tmp_path / "second.log") as second,
        platform_before([second, engine], tmp_path) as platform,
        platform.client() as client,
    ):
        began: set[int] = set()
        with ThreadPoolExecutor(2 * SEQUENCES) as readers:
            calls = [
                readers.submit(
                    read_stream, client, chat(fresh(60), **LONG), on_text=lambda: began.add(threading.get_ident())
                )
                for _ in range(2 * SEQUENCES)
            ]
            wait_until(lambda: len(began) == 2 * SEQUENCES, what="all streams run")
            second.kill()
            assert {call.result().end for call in calls} == {End.COMPLETE, End.ERROR_FRAME}
        right_after = [read_stream(client, chat(fresh(60))).end for _ in range(12)]
        assert right_after == [End.COMPLETE] * 12
        wait_until(lambda: replicas(client, platform)["tiny/0"]["state"] == "down", what="it is seen to be gone")
        assert replicas(client, platform)["tiny/1"]["state"] == "ready"
        second.begin()
        second.wait()
        wait_until(lambda: replicas(client, platform)["tiny/0"]["state"] == "ready", what="it is back")
        with ThreadPoolExecutor(8) as callers:
            calls = [callers.submit(read_stream, client, chat(fresh(60), max_tokens=200)) for _ in range(8)]
            wait_until(lambda: replicas(client, platform)["tiny/0"]["in_flight"] > 0, what="it is used")
            assert [call.result().end for call in calls] == [End.COMPLETE] * 8
        assert platform.command("ledger", "verify").returncode == 0


def test_without_any_engine_the_answer_is_a_503_or_502(model: Path, tmp_path: Path) -> None:
    """At once or after the wait in the queue, and never a hang; and served again once the engine is back."""
    with (
        VllmProcess(model, tmp_path / "only.log") as only,
        platform_before([only], tmp_path) as platform,
        platform.client() as client,
    ):
        assert read_stream(client, chat("hello")).end is End.COMPLETE
        only.kill()
        with ThreadPoolExecutor(12) as callers:
            calls = [callers.submit(client.post, "/chat/completions", json=chat(fresh(50))) for _ in range(12)]
            statuses = {call.result().status_code for call in calls}
        assert statuses <= {502, 503}
        only.begin()
        only.wait()
        wait_until(lambda: replicas(client, platform)["tiny/0"]["state"] == "ready", what="it is back")
        assert read_stream(client, chat("hello")).end is End.COMPLETE
