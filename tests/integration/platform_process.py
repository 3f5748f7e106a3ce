"""A platform as an operator runs it: ``servery serve`` in a process of its own, with real engines."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from servery.metering.spool import spool_directories
from servery.store.log_contents import read_log

START_LIMIT_S = 300.0
STOP_LIMIT_S = 180.0
_IN_BOOKS_LIMIT_S = 120.0

MODEL = "accounts/servery/models/demo"
FAST_MODEL = "accounts/servery/routers/demo-fast"
EMBEDDING_MODEL = "accounts/servery/models/demo-embed"


class PlatformProcess:
    """Started inside a ``with`` block. ``output`` is all that it has printed."""

    def __init__(self, data_dir: Path, *options: str, environment: Mapping[str, str] = os.environ) -> None:
        self.data_dir = data_dir
        self._options = options
        self._environment = {**environment, "PYTHONWARNINGS": "error"}
        self._log = data_dir.parent / f"{data_dir.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = ""
        self.key = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            self.stop()

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        command = [sys.executable, "-m", "servery", "serve", "--port", "0", "--data-dir", str(self.data_dir)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([*command, *self._options], stdout=log, stderr=log, env=self._environment)
        deadline = time.monotonic() + START_LIMIT_S
        while "Ctrl-C stops." not in self.output:
            assert self.is_running, f"the platform ended:\n{self.output}"
            assert time.monotonic() < deadline, f"the platform did not start:\n{self.output}"
            time.sleep(0.05)
        self.base_url = re.search(r"https?://127\.0\.0\.1:\d+", self.output)[0]  # type: ignore[index]
        self.key = re.search(r"API key +(\S+)", self.output)[1]  # type: ignore[index]

    def stop(self, name: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end, and wait; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(name)
        return self._process.wait(STOP_LIMIT_S)

    def kill(self) -> None:
        """As a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_LIMIT_S)

    def engines(self) -> dict[str, int]:
        """The process ids of its engines, by the replica's log file name; from the system's own table."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                target = (entry / "fd" / "2").readlink().stem
            except OSError:
                continue
            if b"servery.fleet.embedded_engine" in command and int(parent) == self.pid:
                found[target] = int(entry.name)
        return found

    def wait_in_books(self) -> None:
        """Until what has been released is in the books, which it is after a moment."""
        deadline = time.monotonic() + _IN_BOOKS_LIMIT_S
        while any(read_log(place).frames for place in spool_directories(self.data_dir / "spool")):
            assert time.monotonic() < deadline, "the spool is emptied"
            time.sleep(0.02)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``servery WORDS`` on this platform's data directory."""
        return subprocess.run(
            [sys.executable, "-m", "servery", *words, "--data-dir", str(self.data_dir)],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def new_key(self, account: str) -> str:
        """A key of ``account``, which is opened, by the control API."""
        with httpx.Client(base_url=f"{self.base_url}/v1", headers={"x-api-key": self.key}, timeout=60) as control:
            opened = control.post("/accounts", json={"accountId": account})
            assert opened.status_code in {200, 409}, opened.text
            created = control.post(f"/accounts/{account}/apiKeys", json={"apiKey": {"displayName": "a test's"}})
            assert created.status_code == 200, created.text
            return str(created.json()["key"])

    def usage(self, account: str) -> dict[str, Any]:
        """The totals of ``servery usage --json`` for one account, with all that has been released."""
        self.wait_in_books()
        shown = self.command("usage", "--account", account, "--json")
        assert shown.returncode == 0, shown.stderr
        return dict(json.loads(shown.stdout)["total"])

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        """A plain HTTP client of the inference API."""
        return httpx.Client(
            base_url=f"{self.base_url}/inference/v1",
            headers={"Authorization": f"Bearer {key or self.key}"},
            timeout=180,
            **options,
        )


def chat(text: str, **fields: Any) -> dict[str, Any]:
    """The body of a chat request to the demo model."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "temperature": 0, **fields}
