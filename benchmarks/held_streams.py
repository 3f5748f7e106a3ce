"""Thousands of streams that stay open: what each takes of memory, and whether one is starved."""

from benchmarks.engines import mock_engines
from benchmarks.measure import Shape, run_load
from benchmarks.peers.direct import Direct
from benchmarks.peers.servery import Servery
from benchmarks.place import Place
from benchmarks.process_tree import memory
from benchmarks.results import HeldStreams
from benchmarks.sizes import Sizes

STREAMS = 2000
GAP_MS = 100.0
"""At 10 tokens a second each, 2,000 streams make 20,000 chunks a second: as many as the comparison's 200 do."""

RAMP_S = 4.0
DIRECT_S = 10.0


def hold(place: Place, sizes: Sizes) -> HeldStreams:
    """Raises LoadFailed or NotStarted."""
    with mock_engines(place, gap_ms=GAP_MS) as ports:
        with Direct().started(place, ports) as gateway:
            direct = run_load(_shape(min(DIRECT_S, sizes.held_s)), gateway, place)
        with Servery().started(place, ports) as gateway:
            assert gateway.pid is not None, "a gateway is a process"
            run_load(Shape(connections=32, chunks=None, warm_s=0.5, window_s=1), gateway, place)  # all code is loaded
            idle = memory(gateway.pid)
            report = run_load(_shape(sizes.held_s), gateway, place)
    return HeldStreams(
        streams=STREAMS,
        gap_ms=GAP_MS,
        held_s=sizes.held_s,
        idle_rss_bytes=idle.rss_bytes,
        idle_pss_bytes=idle.pss_bytes,
        gateway=report,
        direct=direct,
    )


def _shape(held_s: float) -> Shape:
    """Streams so long that none ends before the window does."""
    warm_s = RAMP_S + 1
    chunks = int((warm_s + held_s + RAMP_S) * 1000 / GAP_MS)
    return Shape(
        connections=STREAMS,
        chunks=chunks,
        ramp_s=RAMP_S,
        warm_s=warm_s,
        window_s=held_s,
        grace_s=0.1,
        watch_memory=True,
    )
