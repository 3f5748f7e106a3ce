"""Servery as an operator runs it: keys, limits, queue, routing, metering and the durable ledger are all on."""

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.cores import pinned
from benchmarks.form import form_found
from benchmarks.peers.peer import Gateway
from benchmarks.place import Place
from benchmarks.started import Started

MODEL = "accounts/servery/models/mock"
CONTEXT_LENGTH = 1_000_000
_OPENERS = 16
_AMPLE = 1_000_000_000_000


class Servery:
    """With more than one of ``accounts``, as many are opened first, and requests use their keys in turn."""

    def __init__(self, *, accounts: int = 1) -> None:
        self._accounts = accounts

    @property
    def name(self) -> str:
        return "Servery"

    def install(self, place: Place) -> str:
        said = subprocess.run([*_servery(place), "version"], capture_output=True, text=True, check=True)
        return f"{said.stdout.split()[-1]}, {form_found(place.python)}"

    @contextmanager
    def started(self, place: Place, engine_ports: list[int]) -> Iterator[Gateway]:
        catalog = place.scratch / "catalog.yaml"
        catalog.write_text(catalog_text(engine_ports))
        command = [*_servery(place), "serve", "--port", "0", "--catalog", str(catalog)]
        command += ["--data-dir", str(_new_folder(place.scratch)), *_ample_limits()]
        with Started(pinned(command, place.cores.gateway), log=place.scratch / "servery.log") as process:
            said = process.wait_for_output("Ctrl-C stops.", timeout_s=60)
            port, key = _found(r"http://127\.0\.0\.1:(\d+)", said), _found(r"API key +(\S+)", said)
            yield Gateway(
                port=int(port),
                path="/inference/v1/chat/completions",
                model=MODEL,
                authorizations=tuple(f"Bearer {one}" for one in self._keys(int(port), key)),
                pid=process.pid,
            )

    def _keys(self, port: int, admin_key: str) -> list[str]:
        if self._accounts == 1:
            return [admin_key]
        with ThreadPoolExecutor(_OPENERS) as openers:
            names = [f"tenant-{number}" for number in range(self._accounts)]
            return list(openers.map(lambda name: opened(port, admin_key, name), names))


def _servery(place: Place) -> list[str]:
    return [str(place.python), "-m", "servery"]


def _ample_limits() -> list[str]:
    """Limits and budgets where no load reaches them: they are enforced, and in nobody's way."""
    starts = [f"--limit-start-{name}-tokens-per-minute" for name in ("prompt", "uncached-prompt", "generated")]
    limits = [word for option in (*starts, "--limit-requests-per-minute") for word in (option, str(_AMPLE))]
    return [*limits, "--spend-tier-budgets-dollars", ",".join(["1000000"] * 4)]


def catalog_text(engine_ports: list[int]) -> str:
    """One model on one pool of URL engines, with room and limits that the load never reaches."""
    urls = [f"http://127.0.0.1:{port}" for port in engine_ports]
    ample = {"prompt": _AMPLE, "uncached_prompt": _AMPLE, "generated": _AMPLE}
    return json.dumps(
        {
            "account": "servery",
            "pools": {
                "mock": {
                    "engine": {"kind": "url", "family": "openai", "urls": urls, "served_model": "mock"},
                    "concurrency": 4096,
                    "queue": 4096,
                }
            },
            "models": {
                "mock": {
                    "pool": "mock",
                    "context_length": CONTEXT_LENGTH,
                    "capabilities": ["chat", "completions"],
                    "prices": {"standard": {"input": 0.10, "cached_input": 0.05, "output": 0.40}},
                    "created": "2026-11-20",
                    "limits": ample,
                }
            },
        },
        indent=1,
    )


def opened(port: int, admin_key: str, account: str) -> str:
    """A key of a new account."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        _posted(connection, admin_key, "/v1/accounts", {"accountId": account})
        created = _posted(connection, admin_key, f"/v1/accounts/{account}/apiKeys", {"apiKey": {"displayName": "load"}})
    finally:
        connection.close()
    return str(created["key"])


def _posted(connection: HTTPConnection, key: str, path: str, body: dict[str, object]) -> dict[str, object]:
    connection.request("POST", path, json.dumps(body), {"x-api-key": key, "Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 200, f"{path}: {answer!r}"
    return dict(json.loads(answer))


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not in what Servery printed"
    return found[1]


def _new_folder(parent: Path) -> Path:
    """A data directory that no earlier start has used."""
    number = sum(1 for _ in parent.glob("data-*"))
    folder = parent / f"data-{number}"
    folder.mkdir()
    return folder
