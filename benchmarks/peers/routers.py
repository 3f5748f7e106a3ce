"""The routers in Rust from the Python package index: they place requests, and know no tenants and no money.

smg is sglang-router's successor, by the same people.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.cores import pinned
from benchmarks.peers.peer import Gateway
from benchmarks.peers.python_package import environment, version
from benchmarks.place import Place
from benchmarks.started import Started, free_port

START_LIMIT_S = 60.0


class RustRouter(msgspec.Struct, frozen=True, kw_only=True):
    """``command`` is what follows the environment's ``bin/``; all of them take the same options."""

    name: str
    package: str
    command: tuple[str, ...]
    policy: str
    options: tuple[str, ...] = ()

    def install(self, place: Place) -> str:
        return version(place, self.package, self.package)

    @contextmanager
    def started(self, place: Place, engine_ports: list[int]) -> Iterator[Gateway]:
        port = free_port()
        program, *words = self.command
        command = [str(environment(place, self.package) / program), *words]
        command += ["--host", "127.0.0.1", "--port", str(port), "--policy", self.policy]
        command += ["--prometheus-port", str(free_port()), *self.options, "--worker-urls"]
        command += [f"http://127.0.0.1:{each}" for each in engine_ports]
        with Started(pinned(command, place.cores.gateway), log=place.scratch / f"{self.package}.log") as process:
            process.wait_for_page(f"http://127.0.0.1:{port}/health", timeout_s=START_LIMIT_S)
            process.wait_for_page(f"http://127.0.0.1:{port}/readiness", timeout_s=START_LIMIT_S)
            yield Gateway(port=port, pid=process.pid)


_AMPLE = ("--max-concurrent-requests", "65536")

RUST_ROUTERS = (
    RustRouter(
        name="sglang-router, round robin",
        package="sglang-router",
        command=("python", "-m", "sglang_router.launch_router"),
        policy="round_robin",
        options=(*_AMPLE, "--log-level", "warn"),
    ),
    RustRouter(
        name="sglang-router, cache_aware",
        package="sglang-router",
        command=("python", "-m", "sglang_router.launch_router"),
        policy="cache_aware",
        options=(*_AMPLE, "--log-level", "warn"),
    ),
    RustRouter(
        name="smg, round robin",
        package="smg",
        command=("smg", "launch"),
        policy="round_robin",
        options=(*_AMPLE, "--log-level", "warn"),
    ),
    RustRouter(
        name="vllm-router, round robin",
        package="vllm-router",
        command=("vllm-router",),
        policy="round_robin",
        options=(*_AMPLE, "--log-level", "warning"),
    ),
)
