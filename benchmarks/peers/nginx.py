"""nginx as a plain proxy: moves bytes, knows no tenants. The practical limit. From Debian's packages, unpacked."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cores import pinned
from benchmarks.peers.peer import Gateway, NotInstalled
from benchmarks.place import Place
from benchmarks.started import Started, free_port

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000;
  upstream engines {{
    {servers}
    keepalive 4096;
    keepalive_requests 1000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engines;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class Nginx:
    name = "nginx"

    def install(self, place: Place) -> str:
        return _version(_program(place))

    @contextmanager
    def started(self, place: Place, engine_ports: list[int]) -> Iterator[Gateway]:
        folder = place.scratch / "nginx"
        folder.mkdir(exist_ok=True)
        port = free_port()
        configuration = folder / "nginx.conf"
        servers = " ".join(f"server 127.0.0.1:{each};" for each in engine_ports)
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, servers=servers))
        command = [str(_program(place)), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
        with Started(pinned(command, place.cores.gateway), log=folder / "log") as process:
            process.wait_for_page(f"http://127.0.0.1:{port}/health", timeout_s=20)
            yield Gateway(port=port, pid=process.pid)


def _program(place: Place) -> Path:
    """The machine's own nginx, or else Debian's package, unpacked into the build folder."""
    if (installed := shutil.which("nginx")) is not None:
        return Path(installed)
    folder = place.build / "nginx"
    program = folder / "usr/sbin/nginx"
    if not program.exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise NotInstalled("no nginx here, and no apt-get to fetch it with")
        folder.mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "download", "nginx"], folder)
        for package in folder.glob("nginx_*.deb"):
            _run(["dpkg-deb", "-x", package.name, "."], folder)
    return program


def _version(program: Path) -> str:
    try:
        said = subprocess.run([str(program), "-v"], capture_output=True, text=True, check=False).stderr
    except OSError as error:
        raise NotInstalled(f"nginx does not run: {error}") from error
    found = re.search(r"nginx/(\S+)", said)
    if found is None:
        raise NotInstalled(f"nginx does not run: {said.strip()[:200]}")
    return found[1]


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotInstalled(f"{' '.join(command)} failed: {done.stderr.strip()[-200:]}")
