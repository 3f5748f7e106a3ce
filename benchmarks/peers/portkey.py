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
VERSION = "1.15.2"
_INSTALL_LIMIT_S = 600.0


class Portkey:
    name = "Portkey gateway"

    def install(self, place: Place) -> str:
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise NotInstalled("there is no Node.js on this machine")
        described = _folder(place) / "package.json"
        if not described.exists() or json.loads(described.read_text())["version"] != VERSION:
            prefix = place.build / "portkey"
            prefix.mkdir(parents=True, exist_ok=True)
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(prefix), f"{PACKAGE}@{VERSION}"]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_LIMIT_S)
            except subprocess.TimeoutExpired as error:
                raise NotInstalled(f"npm was not done within {_INSTALL_LIMIT_S:.0f} s") from error
            if done.returncode != 0:
                raise NotInstalled(f"npm failed: {done.stderr.strip()[-200:]}")
        return VERSION

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
