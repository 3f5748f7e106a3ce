"""What the metrics read from the parts each time they are asked for."""

from collections.abc import Mapping

from servery.admission.gate import Gate
from servery.fleet.fleet import Fleet
from servery.telemetry.metrics import Metrics


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
        "queue_waiting",
        "Requests waiting for a place in the pool.",
        ("pool",),
        lambda: [((name,), gate.waiting) for name, gate in gates.items()],
    )
    metrics.gauge(
        "admissions",
        "Attempts to enter the pool, by outcome.",
        ("pool", "outcome"),
        lambda: [
            ((name, outcome.value), count) for name, gate in gates.items() for outcome, count in gate.outcomes.items()
        ],
    )
