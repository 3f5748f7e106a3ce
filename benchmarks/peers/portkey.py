"""Portkey's open gateway, from npm, on Node.js: the request's headers say where it goes."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cores import pinned
from benchmarks.peers.peer import Gateway, NotInstalled
from benchmarks.place import Place
from benchmarks.started import Started, free_port

PACKAGE = "@portkey-ai/gateway"
_REQUIREMENTS = Path(__file__).parent / "requirements/portkey.json"
"""Beside the version, it holds one dependency back: with newer ones this gateway answers every stream with a 500."""
_INSTALL_LIMIT_S = 600.0


class Portkey:
    name = "Portkey gateway"

    def install(self, place: Place) -> str:
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise NotInstalled("there is no Node.js on this machine")
        wanted = _REQUIREMENTS.read_text()
        folder = place.build / "portkey"
        done = folder / ".installed"
        if not done.exists() or done.read_text() != wanted:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text(wanted)
            _install(folder)
            done.write_text(wanted)
        return str(json.loads((_folder(place) / "package.json").read_text())["version"])

    @contextmanager
    def started(self, place: Place, engine_ports: list[int]) -> Iterator[Gateway]:
        port = free_port()
        command = ["node", str(_folder(place) / "build/start-server.js"), f"--port={port}", "--headless"]
        log = place.scratch / "portkey.log"
        trusted = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1"}
        with Started(pinned(command, place.cores.gateway), log=log, env=trusted, folder=place.scratch) as process:
            process.wait_for_page(f"http://127.0.0.1:{port}/", timeout_s=30)
            target = (
                ("x-portkey-provider", "openai"),
                ("x-portkey-custom-host", f"http://127.0.0.1:{engine_ports[0]}/v1"),
            )
            yield Gateway(port=port, headers=target, authorizations=("Bearer none",), pid=process.pid)


def _folder(place: Place) -> Path:
    return place.build / "portkey/node_modules" / PACKAGE


def _install(folder: Path) -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"npm was not done within {_INSTALL_LIMIT_S:.0f} s") from error
    if done.returncode != 0:
        raise NotInstalled(f"npm failed: {done.stderr.strip()[-200:]}")
