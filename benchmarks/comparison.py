"""Every gateway under the same two loads: whole JSON answers, and streams."""

from collections.abc import Iterable

from benchmarks.engines import mock_engines
from benchmarks.measure import LoadFailed, Shape, run_load
from benchmarks.peers.peer import NotInstalled, Peer
from benchmarks.place import Place
from benchmarks.results import Row
from benchmarks.sizes import Sizes
from benchmarks.started import NotStarted

JSON_CONNECTIONS = 32
STREAMS = 200
CHUNKS = 100
STREAM_S = 1.0
"""How long a stream takes at the engine's pace: 100 chunks, 10 ms apart."""


def json_shape(sizes: Sizes) -> Shape:
    return Shape(connections=JSON_CONNECTIONS, chunks=None, warm_s=sizes.warm_s, window_s=sizes.window_s)


def streams_shape(sizes: Sizes) -> Shape:
    """Streams begin one after another within the time that one takes, so that they do not run in step."""
    return Shape(
        connections=STREAMS,
        chunks=CHUNKS,
        ramp_s=STREAM_S,
        warm_s=STREAM_S + sizes.warm_s,
        window_s=sizes.window_s,
    )


def compare(peers: Iterable[Peer], place: Place, sizes: Sizes) -> list[Row]:
    """A row for each, in the order given; one that cannot be had or started says so in its row."""
    rows = {peer: _installed(peer, place) for peer in peers}
    for number in range(sizes.rounds):
        for peer, row in rows.items():
            if "all" not in row.failures:
                print(f"  round {number + 1} of {sizes.rounds}: {row.name} {row.version}", flush=True)
                _measure(peer, row, place, sizes)
    return list(rows.values())


def _installed(peer: Peer, place: Place) -> Row:
    try:
        return Row(name=peer.name, version=peer.install(place))
    except NotInstalled as error:
        print(f"  {peer.name}: {error}", flush=True)
        return Row(name=peer.name, version="", failures={"all": f"not installed: {error}"})


def _measure(peer: Peer, row: Row, place: Place, sizes: Sizes) -> None:
    try:
        with mock_engines(place) as ports, peer.started(place, ports) as gateway:
            loads = (("JSON", row.json, json_shape(sizes)), ("streams", row.streams, streams_shape(sizes)))
            for what, reports, shape in loads:
                try:
                    reports.append(run_load(shape, gateway, place))
                except LoadFailed as error:
                    row.failures[what] = str(error)
    except NotStarted as error:
        row.failures["all"] = f"not started: {error}"
