"""Programs that the harness starts, and never leaves behind."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import Request, urlopen

STOP_LIMIT_S = 10.0


class NotStarted(Exception):
    """A program did not become ready; the message says how it ended or what it last said."""


class Started:
    """One program in a process group of its own; leaving the block ends the whole group."""

    def __init__(
        self, command: list[str], *, log: Path, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=folder,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text: str, *, timeout_s: float) -> str:
        """All that was printed, once ``text`` is in it. Raises NotStarted."""
        for _ in self._moments(timeout_s):
            if text in self.output:
                return self.output
        raise NotStarted(self._last_words(f"did not say {text!r} in {timeout_s:.0f} s"))

    def wait_for_page(self, url: str, *, timeout_s: float, headers: Mapping[str, str] | None = None) -> None:
        """Return once ``url`` answers 200. Raises NotStarted."""
        for _ in self._moments(timeout_s):
            try:
                with urlopen(Request(url, headers=dict(headers or {})), timeout=2) as response:  # noqa: S310 - loopback
                    if response.status == 200:
                        return
            except (URLError, OSError):
                continue
        raise NotStarted(self._last_words(f"did not answer in {timeout_s:.0f} s"))

    def _moments(self, timeout_s: float) -> Iterator[None]:
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise NotStarted(self._last_words(f"ended with status {self._process.returncode}"))
            yield
            time.sleep(0.05)

    def _last_words(self, what: str) -> str:
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return f"{what}: {lines[-1][:200] if lines else 'it said nothing'}"

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block SIGINT, SIGTERM and SIGHUP unwind it, so that every program is ended; also where a shell has
    told its background jobs to ignore Ctrl-C."""

    def unwind(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {name: signal.signal(name, unwind) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
