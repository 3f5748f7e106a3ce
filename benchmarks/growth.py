"""What a chunk or a request costs Servery as there is more of something: streams, accounts, replicas, prompt."""

from collections.abc import Callable, Iterable

import msgspec

from benchmarks.engines import mock_engines
from benchmarks.load import LoadReport
from benchmarks.measure import LoadFailed, Shape, cpu_us_per_chunk, cpu_us_per_request, run_load
from benchmarks.peers.nginx import Nginx
from benchmarks.peers.peer import NotInstalled, Peer
from benchmarks.peers.servery import Servery
from benchmarks.place import Place
from benchmarks.results import Growth
from benchmarks.sizes import Sizes
from benchmarks.started import NotStarted

CONNECTIONS = 32
CHUNKS = 100
CHUNKS_PER_S = 20_000
LEAST_GAP_MS = 1.0


def growths(place: Place, sizes: Sizes) -> list[Growth]:
    """One after another; one that fails says why and keeps what it had."""

    def streams(count: int) -> float:
        return _stream_cost(place, sizes, count, Servery())

    def streams_of_nginx(count: int) -> float:
        return _stream_cost(place, sizes, count, Nginx())

    def accounts(count: int) -> float:
        return _request_cost(place, sizes, accounts=count)

    def replicas(count: int) -> float:
        return _request_cost(place, sizes, replicas=count)

    def prompt(count: int) -> float:
        return _request_cost(place, sizes, prompt_bytes=count)

    nginx = _grown("streams of nginx", "chunk", sizes.stream_counts, streams_of_nginx)
    grown = _grown("streams", "chunk", sizes.stream_counts, streams)
    return [
        msgspec.structs.replace(grown, nginx=nginx.costs),
        _grown("accounts", "request", sizes.account_counts, accounts),
        _grown("replicas", "request", sizes.replica_counts, replicas),
        _grown("bytes of prompt", "request", sizes.prompt_bytes, prompt),
    ]


def gap_ms(streams: int) -> float:
    """So that any number of streams makes the same number of chunks a second, where there are enough of them."""
    return max(LEAST_GAP_MS, streams * 1000 / CHUNKS_PER_S)


def _grown(of: str, unit: str, counts: Iterable[int], cost_us: Callable[[int], float]) -> Growth:
    costs: list[tuple[int, float]] = []
    failure = None
    for count in counts:
        print(f"  {count:,} {of}", flush=True)
        try:
            costs.append((count, cost_us(count)))
        except (LoadFailed, NotStarted, NotInstalled) as error:
            failure = f"{count:,} {of}: {error}"
    return Growth(of=of, unit=unit, costs=costs, failure=failure)


def _stream_cost(place: Place, sizes: Sizes, streams: int, peer: Peer) -> float:
    stream_s = CHUNKS * gap_ms(streams) / 1000
    shape = Shape(
        connections=streams,
        chunks=CHUNKS,
        ramp_s=stream_s,
        warm_s=stream_s + sizes.warm_s,
        window_s=max(sizes.growth_window_s, stream_s),
        grace_s=1,
    )
    with mock_engines(place, gap_ms=gap_ms(streams)) as ports, peer.started(place, ports) as gateway:
        return cpu_us_per_chunk(_faultless(run_load(shape, gateway, place)))


def _request_cost(
    place: Place, sizes: Sizes, *, accounts: int = 1, replicas: int = 1, prompt_bytes: int = 1024
) -> float:
    shape = Shape(
        connections=CONNECTIONS,
        chunks=None,
        prompt_bytes=prompt_bytes,
        warm_s=sizes.warm_s,
        window_s=sizes.growth_window_s,
    )
    with mock_engines(place, ports=replicas) as ports, Servery(accounts=accounts).started(place, ports) as gateway:
        return cpu_us_per_request(_faultless(run_load(shape, gateway, place)))


def _faultless(report: LoadReport) -> LoadReport:
    """A refusal is cheap and would pass for a low cost. Raises LoadFailed."""
    if report.errors:
        raise LoadFailed(f"errors: {report.errors}")
    return report
