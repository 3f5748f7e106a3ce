"""What the metrics read from the parts each time they are asked for."""

from collections.abc import Mapping, Sequence

from servery.admission.gate import Gate
from servery.engines.load import EngineLoad
from servery.fleet.circuit import CircuitState
from servery.fleet.fleet import Fleet
from servery.fleet.replica import Replica
from servery.metering.spool import Spool
from servery.routing.router import Router
from servery.serving.hedging import Hedging
from servery.telemetry.metrics import Metrics
from servery.web.server.listener import Listener


def add_gauges(metrics: Metrics, fleet: Fleet, gates: Mapping[str, Gate]) -> None:
    """Show replicas and queues."""
    replicas = [replica for pool in fleet.pools.values() for replica in pool.replicas]
    metrics.gauge(
        "replica_ready",
        "1 when the replica can serve.",
        ("replica",),
        lambda: [((one.name,), float(one.is_ready)) for one in replicas],
    )
    metrics.gauge(
        "replica_in_flight",
        "Requests in flight at the replica.",
        ("replica",),
        lambda: [((one.name,), one.in_flight) for one in replicas],
    )
    metrics.gauge(
        "replica_restarts",
        "How often the replica was started again.",
        ("replica",),
        lambda: [((one.name,), one.restarts) for one in replicas],
    )
    metrics.gauge(
        "engine_faults",
        "Requests to the replica that got no answer, or one that is none, by the error's code.",
        ("replica", "code"),
        lambda: [((one.name, code), count) for one in replicas for code, count in one.faults.items()],
    )
    _add_load_gauges(metrics, replicas)
    _add_speed_gauges(metrics, gates)
    metrics.gauge(
        "queue_waiting",
        "Requests waiting for a place in the pool.",
        ("pool",),
        lambda: [((name,), gate.waiting) for name, gate in gates.items()],
    )
    metrics.gauge(
        "recalls",
        "Requests called back before their first byte.",
        ("pool",),
        lambda: [((name,), gate.recalls) for name, gate in gates.items()],
    )
    metrics.gauge(
        "admissions",
        "Attempts to enter the pool, by outcome.",
        ("pool", "outcome"),
        lambda: [
            ((name, outcome.value), count) for name, gate in gates.items() for outcome, count in gate.outcomes.items()
        ],
    )


def add_spool_gauge(metrics: Metrics, spool: Spool | None) -> None:
    """Show what is on its way into the database; None: of a process that charges nobody."""
    metrics.gauge(
        "spooled_postings",
        "Charges in the spool, on their way into the database.",
        (),
        lambda: [((), 0 if spool is None else spool.kept)],
    )


def add_connection_gauge(metrics: Metrics, listener: Listener) -> None:
    """Show who is connected."""
    metrics.gauge(
        "client_connections",
        "Connections of clients, by state.",
        ("state",),
        lambda: [(("open",), listener.open_connections), (("handshake",), listener.open_handshakes)],
    )


def _add_speed_gauges(metrics: Metrics, gates: Mapping[str, Gate]) -> None:
    """Of pools whose streams are promised a speed."""

    def speeds() -> list[tuple[tuple[str, str], float]]:
        held = [(name, gate.speed) for name, gate in gates.items() if gate.speed is not None]
        shown = [(name, which, speed) for name, one in held for which, speed in (
            ("p10", one.percentile(0.1)), ("p50", one.percentile(0.5)), ("target", one.target)
        )]  # fmt: skip
        return [((name, which), speed) for name, which, speed in shown if speed is not None]

    metrics.gauge(
        "stream_tokens_per_second",
        "Generated tokens per second of streams.",
        ("pool", "which"),
        speeds,
    )


def _add_load_gauges(metrics: Metrics, replicas: Sequence[Replica]) -> None:
    """What the engines tell of themselves, as long as it is fresh."""

    def fresh() -> list[tuple[str, EngineLoad]]:
        return [(one.name, one.load) for one in replicas if one.load is not None and not one.load.is_stale]

    metrics.gauge(
        "engine_running",
        "Requests that the engine is generating for, as it tells.",
        ("replica",),
        lambda: [((name,), load.running) for name, load in fresh()],
    )
    metrics.gauge(
        "engine_waiting",
        "Requests that wait inside the engine, as it tells.",
        ("replica",),
        lambda: [((name,), load.waiting) for name, load in fresh()],
    )
    metrics.gauge(
        "engine_kv_usage",
        "The share of the engine's KV cache in use, 0 to 1, as it tells.",
        ("replica",),
        lambda: [((name,), load.kv_usage) for name, load in fresh() if load.kv_usage is not None],
    )
    metrics.gauge(
        "replica_circuit_open",
        "1 while the replica is not asked because it gave no answers lately.",
        ("replica",),
        lambda: [((one.name,), float(one.circuit.state is not CircuitState.CLOSED)) for one in replicas],
    )


def add_hedge_gauge(metrics: Metrics, hedging: Hedging) -> None:
    """Second attempts, of pools that have them."""
    metrics.gauge(
        "hedges",
        "Second attempts at requests without a first byte, by outcome.",
        ("pool", "outcome"),
        lambda: [
            ((name, outcome.value), count)
            for name, outcomes in hedging.outcomes.items()
            for outcome, count in outcomes.items()
        ],
    )


def add_routing_gauges(metrics: Metrics, router: Router) -> None:
    """How good the predictions of cached tokens are: the second over the first is their mean error."""
    metrics.gauge(
        "routing_prompt_tokens",
        "Prompt tokens of responses that told how many were cached.",
        ("pool",),
        lambda: [((pool,), float(sum_.prompt_tokens)) for pool, sum_ in router.errors().items()],
    )
    metrics.gauge(
        "routing_cached_error_tokens",
        "Tokens by which predictions of the cached part of those prompts were off.",
        ("pool",),
        lambda: [((pool,), sum_.error_tokens) for pool, sum_ in router.errors().items()],
    )
