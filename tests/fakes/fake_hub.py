"""A Hugging Face hub on loopback: what it says of repositories, and their files."""

import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WAIT_LIMIT_S = 180.0
BEFORE_THE_STALL_BYTES = 4096

_ABOUT = re.compile(r"/api/models/([^/]+/[^/?]+)")
_FILE = re.compile(rf"/([^/]+/[^/]+)/resolve/{COMMIT}/(.+)")


class FakeHub:
    """Serves inside a ``with`` block; ``repositories`` are their files by name, and may change meanwhile.

    ``refusals`` are the status and the hub's error code by repository: for the files of one that exists, for
    everything of one that does not. ``requests`` are the method and path of all that came, ``agents`` their user
    agents. A file named in ``stalled`` begins and then waits for ``resume``; ``began`` is set when one has begun.
    """

    def __init__(self, repositories: Mapping[str, Mapping[str, bytes]]) -> None:
        self.repositories = dict(repositories)
        self.refusals: dict[str, tuple[int, str]] = {}
        self.requests: list[tuple[str, str]] = []
        self.agents: set[str] = set()
        self.stalled: set[str] = set()
        self.began = threading.Event()
        self.resume = threading.Event()
        hub = self

        class Handler(_Handler):
            answering = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.resume.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self, home: Path) -> dict[str, str]:
        """For a process that is to ask this hub and to keep its own files in ``home``."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return {**kept, "HF_ENDPOINT": self.url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}

    def downloads(self) -> list[str]:
        """The paths of files that were sent."""
        return [path for method, path in self.requests if method == "GET" and _FILE.fullmatch(path)]


class _Handler(BaseHTTPRequestHandler):
    answering: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Tests read what was asked in ``requests``."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.answering
        hub.requests.append((self.command, self.path))
        hub.agents.add(self.headers["User-Agent"])
        if asked := _ABOUT.match(self.path):
            self._tell_about(asked[1])
        elif asked := _FILE.fullmatch(self.path):
            self._send_file(asked[1], asked[2])
        else:
            self._refuse(404, "")

    def _tell_about(self, repository: str) -> None:
        files = self.answering.repositories.get(repository)
        if files is None:
            self._refuse(*self.answering.refusals.get(repository, (404, "RepoNotFound")))
            return
        body = json.dumps({"id": repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]})
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body.encode())

    def _send_file(self, repository: str, name: str) -> None:
        hub = self.answering
        if repository in hub.refusals:
            self._refuse(*hub.refusals[repository])
            return
        content = hub.repositories[repository][name]
        tag = hashlib.sha256(content).hexdigest()
        self._head(200, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(content))})
        if self.command == "HEAD":
            return
        try:
            if name in hub.stalled:
                self.wfile.write(content[:BEFORE_THE_STALL_BYTES])
                content = content[BEFORE_THE_STALL_BYTES:]
                hub.began.set()
                hub.resume.wait(WAIT_LIMIT_S)
            self.wfile.write(content)
        except ConnectionError:
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self._head(status, {"X-Error-Code": code, "Content-Length": "0"})

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
