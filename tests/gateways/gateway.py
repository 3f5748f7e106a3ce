"""A gateway in a process of its own: ``servery serve`` on a database that others share, in front of mock engines."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.child_environment import child_environment

ROOT = Path(__file__).parents[2]
MODEL = "accounts/servery/models/mock"
_START_LIMIT_S = 180.0
_STOP_LIMIT_S = 180.0
_AMPLE = "1000000000000"


class Gateway:
    """May be killed and started again on its data directory and port."""

    def __init__(self, directory: Path, number: int, database: str, catalog: Path, *options: str) -> None:
        self.data_dir = directory / f"gateway-{number}"
        self.log = directory / f"gateway-{number}.log"
        self.port = free_port()
        self.database = database
        self._command = [sys.executable, "-m", "servery", "serve", "--port", str(self.port)]
        self._command += ["--data-dir", str(self.data_dir), "--database", database, "--catalog", str(catalog), *options]
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def start(self) -> None:
        self._starts += 1
        with self.log.open("ab") as log:
            environment = child_environment() | {"PYTHONFAULTHANDLER": "1"}
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment, cwd=ROOT)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        while self.said.count("Ctrl-C stops.") < self._starts or not self._is_healthy():
            assert self._process is not None
            assert self._process.poll() is None, f"the gateway ended:\n{self.said}"
            assert time.monotonic() < deadline, f"the gateway did not start:\n{self.said}"
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._starts = self.said.count("Ctrl-C stops.")

    def stop(self) -> int:
        """In good order; the exit status. One that does not end in time tells in its log where its threads are."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)
            return self._process.wait()

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def key(self) -> str:
        """The one that was printed last."""
        return str(re.findall(r"API key +(\S+)", self.said)[-1])

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``servery WORDS`` on this gateway's data directory and database."""
        command = [sys.executable, "-m", "servery", *words, "--data-dir", str(self.data_dir)]
        return subprocess.run(
            [*command, "--database", self.database],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=child_environment(),
        )

    def spooled(self) -> int:
        """What ``ledger verify`` tells of the spool, which holds the books to be clean."""
        told = self.command("ledger", "verify", "--json")
        assert told.returncode == 0, told.stdout + told.stderr
        return int(json.loads(told.stdout)["spooled"]["requests"])

    def _is_healthy(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=10) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def write_catalog(file: Path, engine_ports: list[int], *, output_dollars: float = 8.0) -> Path:
    """One model on URL engines, at a price of a million generated tokens."""
    ample = dict.fromkeys(("prompt", "uncached_prompt", "generated"), int(_AMPLE))
    urls = [f"http://127.0.0.1:{port}" for port in engine_ports]
    engine = {"kind": "url", "family": "openai", "urls": urls, "served_model": "mock"}
    model = {
        "pool": "mock",
        "context_length": 4_096,
        "capabilities": ["chat", "completions"],
        "prices": {"standard": {"input": 0.1, "cached_input": 0.05, "output": output_dollars}},
        "created": "2026-11-20",
        "limits": ample,
    }
    pool = {"engine": engine, "concurrency": 4_096, "queue": 4_096}
    file.write_text(json.dumps({"account": "servery", "pools": {"mock": pool}, "models": {"mock": model}}))
    return file


def ample_limits() -> list[str]:
    """Options by which limits are in nobody's way."""
    starts = [f"--limit-start-{name}-tokens-per-minute" for name in ("prompt", "uncached-prompt", "generated")]
    return [word for option in (*starts, "--limit-requests-per-minute") for word in (option, _AMPLE)]


@contextmanager
def mock_engines(ports: int = 1, *, gap_ms: float = 5.0) -> Iterator[list[int]]:
    """Engines in one process, for the block; yields their ports."""
    command = [sys.executable, "-m", "benchmarks.mock_engine", "--ports", str(ports), "--gap-ms", str(gap_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=child_environment()) as process:
        assert process.stdout is not None
        try:
            yield list(json.loads(process.stdout.readline())["ports"])
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
