"""What load balancers and monitoring ask: whether the platform can serve, and its metrics."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servery.fleet.fleet import Fleet
from servery.fleet.replica import Replica
from servery.telemetry.metrics import CONTENT_TYPE
from servery.telemetry.shared_metrics import SharedMetrics


def status_routes(
    fleet: Fleet, metrics: SharedMetrics, *, is_draining: Callable[[], bool], can_keep: Callable[[], bool]
) -> list[Route]:
    """``GET /health`` and ``GET /metrics``. ``can_keep``: whether charges can be written down."""

    async def health(request: Request) -> Response:
        """200 when every pool has a ready replica and charges can be kept, else 503; the body tells of each
        replica."""
        keeps = can_keep()
        ready = fleet.is_ready and keeps and not is_draining()
        replicas = {replica.name: _replica(replica) for pool in fleet.pools.values() for replica in pool.replicas}
        status = "ok" if ready else "draining" if is_draining() else "starting" if keeps else "cannot keep charges"
        return JSONResponse({"status": status, "replicas": replicas}, status_code=200 if ready else 503)

    async def show_metrics(request: Request) -> Response:
        return Response(await metrics.render(), media_type=CONTENT_TYPE)

    return [Route("/health", health), Route("/metrics", show_metrics)]


def _replica(replica: Replica) -> dict[str, object]:
    shown: dict[str, object] = {
        "state": replica.state.value,
        "circuit": replica.circuit.state.value,
        "in_flight": replica.in_flight,
        "restarts": replica.restarts,
    }
    if (load := replica.load) is not None:
        shown["load"] = {
            "running": load.running,
            "waiting": load.waiting,
            "kv_usage": load.kv_usage,
            "prefix_cache_hits": load.prefix_cache_hits,
            "prefix_cache_queries": load.prefix_cache_queries,
            "is_stale": load.is_stale,
        }
    return shown
