"""One vLLM and one platform before it serve all tests that break neither."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.engines_vllm.vllm_process import API_KEY, CONTEXT_LENGTH, SERVED_MODEL, VllmProcess, make_model
from tests.integration.platform_process import PlatformProcess

MODEL = "accounts/servery/models/tiny"

CATALOG = """
pools:
  tiny:
    engine: {{kind: url, family: vllm, urls: [{urls}], served_model: {served_model}, api_key_env: TINY_ENGINE_KEY}}
    concurrency: 32
models:
  tiny:
    pool: tiny
    context_length: {context_length}
    capabilities: [chat, completions, tools, structured_output, images]
    prices:
      standard: {{input: 0.10, cached_input: 0.01, output: 0.40}}
      priority: {{input: 0.15, cached_input: 0.02, output: 0.60}}
    created: 2026-01-01
"""


def platform_before(engines: list[VllmProcess], directory: Path, *, queue_wait_limit_s: int = 20) -> PlatformProcess:
    """A platform, not yet started, whose only pool are these engines."""
    catalog = directory / "catalog.yaml"
    urls = ", ".join(f'"{engine.url}"' for engine in engines)
    catalog.write_text(CATALOG.format(urls=urls, served_model=SERVED_MODEL, context_length=CONTEXT_LENGTH))
    return PlatformProcess(
        directory / "data",
        *("--catalog", str(catalog), "--health-interval-s", "0.5", "--queue-wait-limit-s", str(queue_wait_limit_s)),
        environment={**os.environ, "TINY_ENGINE_KEY": API_KEY},
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model") / "tiny"
    make_model(directory)
    return directory


@pytest.fixture(scope="session")
def engine(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmProcess]:
    with VllmProcess(model, tmp_path_factory.mktemp("engine") / "vllm.log") as running:
        yield running


@pytest.fixture(scope="session")
def platform(engine: VllmProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with platform_before([engine], tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def client(platform: PlatformProcess) -> Iterator[httpx.Client]:
    with platform.client() as client:
        yield client
