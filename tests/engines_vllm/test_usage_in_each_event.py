"""A vLLM that tells usage with each event, which it does when started with ``--enable-force-include-usage``."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.engines_vllm.asking import TEMPLATE_TOKENS, chat, choices, events, fresh
from tests.engines_vllm.conftest import platform_before
from tests.engines_vllm.test_under_load import LONG, replicas, wait_until
from tests.engines_vllm.vllm_process import BLOCK_TOKENS, VllmProcess
from tests.integration.platform_process import PlatformProcess

GENERATED = 'servery_tokens_total{kind="generated"'


@pytest.fixture
def forced(model: Path, tmp_path: Path) -> Iterator[VllmProcess]:
    with VllmProcess(model, tmp_path / "vllm.log", "--enable-force-include-usage") as running:
        yield running


@pytest.fixture
def before_it(forced: VllmProcess, tmp_path: Path) -> Iterator[PlatformProcess]:
    with platform_before([forced], tmp_path) as running:
        yield running


def metric(client: httpx.Client, platform: PlatformProcess, sample: str) -> float:
    """One sample of the platform's metrics; 0 where it is not there."""
    lines = client.get(f"{platform.base_url}/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(sample)), 0.0)


def test_what_is_told_in_between_is_no_end(before_it: PlatformProcess, forced: VllmProcess) -> None:
    """A whole stream is charged by its last report, cached tokens included, and nothing in between is shown. One that
    is cut when the engine dies ends with an error, is counted as broken, and is charged what passed."""
    body = chat(fresh(100), max_tokens=24)
    with before_it.client() as client:
        for cached in (0, (TEMPLATE_TOKENS + 100) // BLOCK_TOKENS * BLOCK_TOKENS):
            streamed = events(client, "/chat/completions", body)
            assert [event for event in streamed if "usage" in event] == streamed[-1:]
            assert streamed[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == cached
            assert streamed[-1]["usage"]["completion_tokens"] == 24
            assert [choice["finish_reason"] for choice in choices(streamed) if choice["finish_reason"]] == ["length"]
        assert metric(client, before_it, "servery_estimated_usage_total") == 0
        generated = metric(client, before_it, GENERATED)
        with client.stream("POST", "/chat/completions", json={**chat(fresh(100), **LONG), "stream": True}) as response:
            lines = response.iter_lines()
            shown = [line for line, _ in zip(lines, range(60), strict=False)]
            forced.kill()
            rest = list(lines)
        assert "data: [DONE]" not in rest
        assert any('"error"' in line for line in rest)
        passed = sum('"content":"' in line and '"content":""' not in line for line in [*shown, *rest])
        wait_until(lambda: metric(client, before_it, GENERATED) > generated, what="it is charged")
        charged = metric(client, before_it, GENERATED) - generated
        assert passed <= charged <= 1.5 * passed, "a token may be less than a character, and show nothing"
        assert metric(client, before_it, "servery_estimated_usage_total") == 1
        wait_until(lambda: replicas(client, before_it)["tiny/0"]["in_flight"] == 0, what="nothing hangs")
        assert metric(client, before_it, 'servery_engine_faults{code="ENGINE_BROKE",replica="tiny/0"}') == 1
    assert before_it.command("ledger", "verify").returncode == 0
