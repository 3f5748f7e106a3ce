"""An engine that somebody else has started, given by its URL."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

import servery
from servery.fleet.engine_order import EngineOrder, EngineReady
from tests.integration.platform_process import MODEL, PlatformProcess, chat
from tests.integration.test_prompt_cache import LONG

ENGINE_KEY = "engine-key"

CATALOG = """
pools:
  theirs:
    engine: {{kind: url, family: llama.cpp, urls: ["{url}"], served_model: theirs, api_key_env: ENGINE_KEY, slots: 3}}
    concurrency: 2
models:
  demo:
    pool: theirs
    context_length: 2048
    capabilities: [chat, completions, tools, structured_output]
    prices: {{standard: {{input: 1, output: 2}}}}
    created: 2026-11-20
"""


@pytest.fixture(scope="module")
def engine_url() -> Iterator[str]:
    """A llama.cpp server in a process of its own."""
    model = Path(servery.__file__).parent / "assets" / "servery-demo.gguf"
    order = EngineOrder(
        name="theirs",
        api_key=ENGINE_KEY,
        slots=3,
        context_length=2048,
        threads=1,
        embeddings=False,
        model_file=str(model),
    )
    command = [sys.executable, "-m", "servery.fleet.embedded_engine"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdin is not None
        assert engine.stdout is not None
        engine.stdin.write(msgspec.json.encode(order) + b"\n")
        engine.stdin.flush()
        yield msgspec.json.decode(engine.stdout.readline(), type=EngineReady).url


@pytest.fixture(scope="module")
def theirs(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    directory = tmp_path_factory.mktemp("by-url")
    (directory / "catalog.yaml").write_text(CATALOG.format(url=engine_url))
    options = ["--catalog", str(directory / "catalog.yaml")]
    environment = {**os.environ, "ENGINE_KEY": ENGINE_KEY}
    with PlatformProcess(directory / "data", *options, environment=environment) as running:
        yield running


def test_it_serves_like_an_embedded_one(theirs: PlatformProcess) -> None:
    """Whole and streamed, with the id that was asked for and nothing of the engine's own."""
    with theirs.client() as client:
        whole = client.post("/chat/completions", json=chat("Who are you?"))
        assert whole.json()["model"] == "accounts/servery/models/demo"
        assert "theirs" not in whole.text
        assert "[DONE]" in client.post("/chat/completions", json=chat("Who are you?", stream=True)).text


def test_accounts_are_kept_apart_in_its_slots(theirs: PlatformProcess) -> None:
    """More accounts than slots: each finds nothing of the others', and its own again."""
    for number in range(7):
        with theirs.client(theirs.new_key(f"apart-{number}")) as client:
            cached = [
                client.post("/chat/completions", json=chat(LONG, max_tokens=1)).json()["usage"][
                    "prompt_tokens_details"
                ]["cached_tokens"]
                for _ in range(2)
            ]
        assert cached[0] == 0
        assert cached[1] > 100


def test_an_empty_prompt_leaves_nothing_of_another_account_to_go_on_with(theirs: PlatformProcess) -> None:
    """The engine takes no slot for it, so what lies there is not the account's: neither then nor with its next
    prompt."""

    def cached(client: httpx.Client) -> int:
        answer = client.post("/chat/completions", json=chat(LONG, max_tokens=1)).json()
        return int(answer["usage"]["prompt_tokens_details"]["cached_tokens"])

    for number in range(3):
        with theirs.client(theirs.new_key(f"before-{number}")) as client:
            cached(client)
    for number in range(3):
        with theirs.client(theirs.new_key(f"empty-{number}")) as client:
            client.post("/completions", json={"model": MODEL, "prompt": "", "max_tokens": 1})
            assert cached(client) == 0


def test_a_data_directory_that_goes_away_is_noticed(engine_url: str, tmp_path: Path) -> None:
    """The platform is not healthy, says so in its log, and serves nothing until the directory is back; then the books
    agree with all that was served."""
    (tmp_path / "catalog.yaml").write_text(CATALOG.format(url=engine_url))
    environment = {**os.environ, "ENGINE_KEY": ENGINE_KEY}
    options = ["--catalog", str(tmp_path / "catalog.yaml")]
    with PlatformProcess(tmp_path / "data", *options, environment=environment) as platform:
        with platform.client() as client:

            def answered(status: int) -> None:
                deadline = time.monotonic() + 60
                while client.get(f"{platform.base_url}/health").status_code != status:
                    assert time.monotonic() < deadline, platform.output
                    time.sleep(0.05)
                answer = client.post("/chat/completions", json=chat("Who are you?", max_tokens=3))
                assert answer.status_code == status

            answered(200)
            platform.data_dir.rename(tmp_path / "moved")
            answered(503)
            (tmp_path / "moved").rename(platform.data_dir)
            answered(200)
        assert "charges cannot be kept as they should" in platform.output
        deadline = time.monotonic() + 60
        while "charges can be kept again" not in platform.output:
            assert time.monotonic() < deadline, platform.output
            time.sleep(0.05)
        assert platform.stop() == 0
        verified = platform.command("ledger", "verify")
        assert verified.stdout.startswith("2 usage records"), verified.stdout
        assert verified.returncode == 0


def test_several_workers_serve_it(engine_url: str, tmp_path: Path) -> None:
    """Where no engine is the supervisor's to keep, it goes on keeping its workers until it is told to end."""
    (tmp_path / "catalog.yaml").write_text(CATALOG.format(url=engine_url))
    options = ["--catalog", str(tmp_path / "catalog.yaml"), "--workers", "2"]
    environment = {**os.environ, "ENGINE_KEY": ENGINE_KEY}
    with PlatformProcess(tmp_path / "data", *options, environment=environment) as platform:
        with platform.client() as client:
            for _ in range(4):
                assert client.post("/chat/completions", json=chat("Who are you?")).status_code == 200
        assert platform.is_running
        assert platform.stop(signal.SIGHUP) == 0


def test_the_end_of_its_terminal_is_an_orderly_end(engine_url: str, tmp_path: Path) -> None:
    """Or none at all where it was started so that it outlives the terminal."""
    (tmp_path / "catalog.yaml").write_text(CATALOG.format(url=engine_url))
    options = ["--catalog", str(tmp_path / "catalog.yaml")]
    environment = {**os.environ, "ENGINE_KEY": ENGINE_KEY}
    with PlatformProcess(tmp_path / "data", *options, environment=environment) as platform:
        assert platform.stop(signal.SIGHUP) == 0
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a child is born with it
    try:
        with PlatformProcess(tmp_path / "data", *options, environment=environment) as platform:
            os.kill(platform.pid, signal.SIGHUP)
            with platform.client() as client:
                assert client.post("/chat/completions", json=chat("Who are you?")).status_code == 200
            assert platform.stop(signal.SIGTERM) == 0
    finally:
        signal.signal(signal.SIGHUP, usual)
