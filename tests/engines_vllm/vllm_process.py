"""A real vLLM server on the CPU, in a process of its own, from an environment of its own (``make test-vllm``)."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

PYTHON = Path(__file__).parents[2] / "build" / "vllm" / "bin" / "python"
START_LIMIT_S = 1_200.0
"""It compiles the model first; on two cores that others use as well that alone has taken four minutes."""

API_KEY = "the-engines-own-key"
SERVED_MODEL = "operators-name-for-it"
CONTEXT_LENGTH = 2_048
BLOCK_TOKENS = 32
SEQUENCES = 4
QUEUED = 12
"""How many it takes at once, running ones included: that is what its option means."""

_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
}
_OPTIONS = (
    *("--host", "127.0.0.1", "--served-model-name", SERVED_MODEL, "--dtype", "bfloat16"),
    *("--max-model-len", str(CONTEXT_LENGTH), "--max-num-seqs", str(SEQUENCES), "--max-num-queued-reqs", str(QUEUED)),
    *("--block-size", str(BLOCK_TOKENS), "--enable-prefix-caching", "--enable-prompt-tokens-details"),
    *("--scheduling-policy", "priority", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    *("--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}'),
)


def make_model(directory: Path) -> None:
    """Write the tiny model, which takes torch some seconds."""
    assert PYTHON.exists(), "there is no vLLM in build/vllm: run `make test-vllm`"
    script = Path(__file__).with_name("tiny_model.py")
    subprocess.run([PYTHON, script, directory], check=True, capture_output=True, timeout=START_LIMIT_S)


class VllmProcess:
    """Started inside a ``with`` block; may be killed and started again at the same address. ``options`` of its own come
    beside those that all have."""

    def __init__(self, model: Path, log: Path, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._model = model
        self._log = log
        self._options = (*_OPTIONS, *options)
        self._http = httpx.Client(timeout=10)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.begin()
        try:
            self.wait()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._http.close()

    def begin(self) -> None:
        """Start it; ``wait`` returns when it serves."""
        assert PYTHON.exists(), "there is no vLLM in build/vllm: run `make test-vllm`"
        command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", self._model, *self._options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), "--api-key", API_KEY],
                stdout=log,
                stderr=log,
                env={**os.environ, **_ENVIRONMENT},
                start_new_session=True,  # its workers are its own, and end with it
            )

    def wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_LIMIT_S
        while not self._is_well():
            assert self._process.poll() is None, f"vLLM ended:\n{self._log.read_text(errors='replace')[-4_000:]}"
            assert time.monotonic() < deadline, "vLLM did not start"
            time.sleep(0.5)

    def kill(self) -> None:
        """With all its workers, as a machine that goes away."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def gauge(self, name: str) -> float:
        """One of its own metrics, such as ``num_requests_running``."""
        told = self._http.get(f"{self.url}/metrics").text
        found = re.search(rf"^vllm:{name}{{[^}}]*}} (\S+)$", told, flags=re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def _is_well(self) -> bool:
        try:
            return self._http.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False
