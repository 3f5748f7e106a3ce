"""Mock engines, started for a scenario."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.cores import pinned
from benchmarks.mock_engine import GAP_MS
from benchmarks.place import ROOT, Place
from benchmarks.started import Started


@contextmanager
def mock_engines(place: Place, *, ports: int = 1, gap_ms: float = GAP_MS) -> Iterator[list[int]]:
    """One process that listens on as many ports, within the block; yields them."""
    command = [sys.executable, "-m", "benchmarks.mock_engine", "--ports", str(ports), "--gap-ms", str(gap_ms)]
    log = place.scratch / "mock-engine.log"
    with Started(pinned(command, place.cores.load), log=log, folder=ROOT) as process:
        yield list(json.loads(process.wait_for_output("]}\n", timeout_s=30))["ports"])
