"""A pool of two families: a real vLLM beside a real llama.cpp, and one of them killed."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engines_vllm.asking import chat, fresh
from tests.engines_vllm.test_under_load import LONG, replicas, wait_until
from tests.engines_vllm.vllm_process import API_KEY, SEQUENCES, SERVED_MODEL, VllmProcess
from tests.integration.platform_process import PlatformProcess
from tests.integration.streams import End, read_stream

CATALOG = f"""
pools:
  both:
    engine: {{kind: embedded, model: demo, slots: {SEQUENCES}, context_length: 2048}}
    also:
      - {{kind: url, family: vllm, urls: ["%s"], served_model: {SERVED_MODEL}, api_key_env: TINY_ENGINE_KEY}}
    concurrency: {SEQUENCES}
models:
  tiny:
    pool: both
    context_length: 2048
    capabilities: [chat, completions]
    prices: {{standard: {{input: 0.10, cached_input: 0.01, output: 0.40}}}}
    created: 2026-01-01
"""
LLAMA_CPP, VLLM = "both/0", "both/1"


@pytest.fixture
def vllm(model: Path, tmp_path: Path) -> Iterator[VllmProcess]:
    with VllmProcess(model, tmp_path / "vllm.log") as running:
        yield running


@pytest.fixture
def both(vllm: VllmProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformProcess]:
    monkeypatch.setenv("TINY_ENGINE_KEY", API_KEY)
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(CATALOG % vllm.url)
    with PlatformProcess(tmp_path / "data", "--catalog", str(catalog), "--health-interval-s", "0.5") as running:
        yield running


def test_one_of_two_families_is_killed(both: PlatformProcess, vllm: VllmProcess) -> None:
    """Both serve; when vLLM dies under load its streams end with an error frame and llama.cpp's go on; new requests
    find llama.cpp, and vLLM is used again once it is back. The books hold, and say who served what."""
    with both.client() as client:
        began: set[int] = set()
        with ThreadPoolExecutor(2 * SEQUENCES) as readers:
            calls = [
                readers.submit(
                    read_stream, client, chat(fresh(60), **LONG), on_text=lambda: began.add(threading.get_ident())
                )
                for _ in range(2 * SEQUENCES)
            ]
            wait_until(lambda: len(began) == 2 * SEQUENCES, what="all streams run")
            shown = replicas(client, both)
            assert {name: shown[name]["in_flight"] for name in shown} == {LLAMA_CPP: SEQUENCES, VLLM: SEQUENCES}
            vllm.kill()
            ends = [call.result().end for call in calls]
        assert ends.count(End.COMPLETE) == SEQUENCES
        assert ends.count(End.ERROR_FRAME) == SEQUENCES
        assert [read_stream(client, chat(fresh(60))).end for _ in range(8)] == [End.COMPLETE] * 8
        wait_until(lambda: replicas(client, both)[VLLM]["state"] == "down", what="it is seen to be gone")
        vllm.begin()
        vllm.wait()
        wait_until(lambda: replicas(client, both)[VLLM]["state"] == "ready", what="it is back")
        with ThreadPoolExecutor(8) as callers:
            calls = [callers.submit(read_stream, client, chat(fresh(60), max_tokens=200)) for _ in range(8)]
            wait_until(lambda: replicas(client, both)[VLLM]["in_flight"] > 0, what="it is used")
            assert [call.result().end for call in calls] == [End.COMPLETE] * 8
    assert both.command("ledger", "verify").returncode == 0
