"""``examples/two-gateways`` does what its README says."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.gateways.gateway import ROOT
from tests.integration.platform_process import chat
from tests.postgresql_server import missing

EXAMPLE = ROOT / "examples" / "two-gateways"
_LIMIT_S = 180.0


@pytest.fixture
def started() -> Iterator[tuple[str, str, int]]:
    """Where it is to be asked, with which key, and the first of its ports."""
    reason = missing() or (None if shutil.which("haproxy") else "HAProxy is not installed")
    if reason is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    # postgres has to reach its folder, which pytest's own folders would not let it.
    state, port = Path("/tmp") / f"servery-example-{os.getpid()}", _four_free_ports()
    environment = {**os.environ, "PORT": str(port), "STATE": str(state), "SERVERY": str(_servery())}
    with subprocess.Popen([EXAMPLE / "run"], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            said = ""
            while "Ctrl-C stops." not in said:
                line = process.stdout.readline()
                assert line, "it ended before it served"
                said += line
            yield re.findall(r"http://\S+", said)[0], re.findall(r"API key +(\S+)", said)[0], port
        finally:
            process.send_signal(signal.SIGINT)
            try:
                status = process.wait(_LIMIT_S)
            finally:
                process.kill()
                shutil.rmtree(state)
        assert status == 0


def test_one_address_is_served_by_both(started: tuple[str, str, int]) -> None:
    """Clients ask the load balancer, and each gateway answers some of it; Ctrl-C ends all of it."""
    url, key, port = started
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        for _ in range(8):
            assert client.post("/chat/completions", json=chat("Who are you?", max_tokens=4)).status_code == 200
        both = [_completed(port + 2), _completed(port + 3)]
        assert sum(both) == 8
        assert min(both) > 0


def _completed(port: int) -> int:
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    return round(sum(float(n) for n in re.findall(r'^servery_requests_total\{.*"completed".*\} (\S+)$', page, re.M)))


def _four_free_ports() -> int:
    """The first of four in a row, below those that the system gives to whoever asks for any."""
    for first in range(20_000, 32_000, 4):
        try:
            with ExitStack() as held:
                for port in range(first, first + 4):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        return first
    raise AssertionError("there are always four free ports")


def _servery() -> Path:
    return Path(sys.executable).parent / "servery"
