"""What a chunk or a request costs Servery as there is more of something: streams, accounts, replicas, prompt."""

from collections.abc import Callable, Iterable
from statistics import median

import msgspec

from benchmarks.engines import mock_engines
from benchmarks.load import LoadReport
from benchmarks.measure import LoadFailed, Shape, cpu_us_per_chunk, cpu_us_per_request, run_load
from benchmarks.peers.nginx import Nginx
from benchmarks.peers.peer import Gateway, NotInstalled, Peer
from benchmarks.peers.servery import Servery
from benchmarks.place import Place
from benchmarks.results import Growth
from benchmarks.sizes import Sizes
from benchmarks.started import NotStarted

CONNECTIONS = 32
CHUNKS = 100
CHUNKS_PER_S = 20_000
LEAST_GAP_MS = 1.0
WINDOWS = 3
FIRST_USES_S = 1.0


def growths(place: Place, sizes: Sizes) -> list[Growth]:
    """One after another; one that fails says why and keeps what it had."""

    def streams(count: int) -> float:
        return _stream_cost(place, sizes, count, Servery())

    def streams_of_nginx(count: int) -> float:
        return _stream_cost(place, sizes, count, Nginx())

    first_uses: list[tuple[int, float]] = []

    def accounts(count: int) -> float:
        with mock_engines(place) as ports, Servery(accounts=count).started(place, ports) as gateway:
            if (cost_us := _use_all_keys(gateway, place)) is not None:
                first_uses.append((count, cost_us))
            return _request_cost(gateway, place, sizes)

    def replicas(count: int) -> float:
        with mock_engines(place, ports=count) as ports, Servery().started(place, ports) as gateway:
            return _request_cost(gateway, place, sizes)

    def prompt(count: int) -> float:
        with mock_engines(place) as ports, Servery().started(place, ports) as gateway:
            return _request_cost(gateway, place, sizes, prompt_bytes=count)

    nginx = _grown("streams of nginx", "chunk", sizes.stream_counts, streams_of_nginx)
    grown = _grown("streams", "chunk", sizes.stream_counts, streams)
    tenants = _grown("accounts", "request", sizes.account_counts, accounts)
    return [
        msgspec.structs.replace(grown, nginx=nginx.costs),
        msgspec.structs.replace(tenants, first_uses=first_uses),
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


def _request_cost(gateway: Gateway, place: Place, sizes: Sizes, *, prompt_bytes: int = 1024) -> float:
    shape = Shape(
        connections=CONNECTIONS,
        chunks=None,
        prompt_bytes=prompt_bytes,
        warm_s=sizes.warm_s,
        window_s=sizes.growth_window_s / WINDOWS,
    )
    return median(cpu_us_per_request(_faultless(run_load(shape, gateway, place))) for _ in range(WINDOWS))


def _use_all_keys(gateway: Gateway, place: Place) -> float | None:
    """Every key is used once. What such a request costs; None when there are too few of them to tell."""
    shape = Shape(connections=CONNECTIONS, chunks=None, warm_s=0.0, window_s=FIRST_USES_S)
    unused = gateway.authorizations
    cost_us = None
    while unused:
        report = _faultless(run_load(shape, msgspec.structs.replace(gateway, authorizations=unused), place))
        if cost_us is None and report.requests <= len(unused):
            cost_us = cpu_us_per_request(report)
        unused = unused[report.requests :]
    return cost_us


def _faultless(report: LoadReport) -> LoadReport:
    """A refusal is cheap and would pass for a low cost. Raises LoadFailed."""
    if report.errors:
        raise LoadFailed(f"errors: {report.errors}")
    return report
