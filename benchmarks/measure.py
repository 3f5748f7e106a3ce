"""One load against one running gateway, and what is derived from its report."""

import json
import subprocess
import sys

import msgspec

from benchmarks.cores import pinned
from benchmarks.load import Load, LoadReport
from benchmarks.peers.peer import Gateway
from benchmarks.place import ROOT, Place


class LoadFailed(Exception):
    """The load could not be put on a gateway; the message says what came instead of answers."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A load without its target. ``chunks``: of a stream; none: whole JSON answers."""

    connections: int
    chunks: int | None
    prompt_bytes: int = 1024
    ramp_s: float = 0.0
    warm_s: float
    window_s: float
    grace_s: float = 5.0
    watch_memory: bool = False


def run_load(shape: Shape, gateway: Gateway, place: Place) -> LoadReport:
    """Put the load on the gateway from a process of its own. Raises LoadFailed when nothing at all was answered."""
    load = Load(
        port=gateway.port,
        path=gateway.path,
        bodies=[chat_body(gateway.model, prompt_bytes=shape.prompt_bytes, chunks=shape.chunks)],
        authorizations=list(gateway.authorizations),
        headers=dict(gateway.headers),
        connections=shape.connections,
        ramp_s=shape.ramp_s,
        warm_s=shape.warm_s,
        window_s=shape.window_s,
        grace_s=shape.grace_s,
        watched_pid=gateway.pid,
        watch_memory=shape.watch_memory,
    )
    command = pinned([sys.executable, "-m", "benchmarks.load_client"], place.cores.load)
    limit_s = shape.warm_s + shape.window_s + shape.grace_s + 60
    try:
        done = subprocess.run(
            command, input=msgspec.json.encode(load), capture_output=True, check=False, timeout=limit_s, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"the client was not done after {limit_s:.0f} s") from error
    if done.returncode != 0:
        raise LoadFailed(done.stderr.decode(errors="replace").strip()[-300:])
    report = msgspec.json.decode(done.stdout, type=LoadReport)
    if report.requests == 0 and report.chunks == 0:
        raise LoadFailed(f"no answers: {report.errors or 'nothing came'}")
    return report


def chat_body(model: str, *, prompt_bytes: int, chunks: int | None) -> str:
    """A chat request whose prompt has about as many bytes, and a number of its own at its beginning."""
    words = "The quick brown fox jumps over the lazy dog. "
    prompt = ("00000000 " + words * (prompt_bytes // len(words) + 1))[:prompt_bytes]
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": chunks or 20,
        "temperature": 0,
    }
    if chunks is not None:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body)


def cpu_us_per_request(report: LoadReport) -> float:
    return report.watched_cpu_s / report.requests * 1e6 if report.requests else float("nan")


def cpu_us_per_chunk(report: LoadReport) -> float:
    """Of a whole stream, its beginning and its end included, shared among its chunks."""
    return report.watched_cpu_s / report.chunks * 1e6 if report.chunks else float("nan")
