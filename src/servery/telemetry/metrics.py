"""The platform's metrics, in Prometheus' text format. ``docs/metrics.md`` has a heading for each."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from servery.telemetry.instruments import Counts, Distributions

Reading = tuple[tuple[str, ...], float]
"""Label values and a number."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class _Readings(Collector):
    """Gauges that are read when they are asked for, so that nothing is counted twice."""

    def __init__(self) -> None:
        self._gauges: list[tuple[str, str, tuple[str, ...], Callable[[], Iterable[Reading]]]] = []

    def add(self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], Iterable[Reading]]) -> None:
        self._gauges.append((name, text, labels, read))

    def collect(self) -> Iterable[Metric]:
        for name, text, labels, read in self._gauges:
            family = GaugeMetricFamily(name, text, labels=labels)
            for values, number in read():
                family.add_metric(values, number)
            yield family


class Metrics:
    """Counters that parts write to, and gauges that read the parts. Own registry: nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._readings = _Readings()
        self.registry.register(self._readings)
        self.requests = self._counter("requests", "Requests that reached an engine.", "model", "path", "outcome")
        self.refusals = self._counter("refusals", "Requests refused, by status and code.", "status", "code")
        self.limit_refusals = self._counter("limit_refusals", "Requests refused for a limit, by that limit.", "limit")
        self.tokens = self._counter("tokens", "Tokens charged, by kind.", "model", "path", "kind")
        self.estimated_usage = self._counter(
            "estimated_usage", "Requests whose usage the engine did not report whole.", "model"
        )
        self.charged_nanodollars = self._counter("charged_nanodollars", "Charged, in nano-dollars.", "model", "path")
        self.lost_writes = self._counter(
            "lost_writes", "Database writes that nobody waited for and that failed."
        ).labels()
        self.time_to_first_token = self._histogram(
            "time_to_first_token_seconds", "From a request's arrival to its first token.", "model", "path"
        )
        self.queue_wait = self._histogram("queue_wait_seconds", "Waiting for a place in a pool.", "model", "path")

    def gauge(self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], Iterable[Reading]]) -> None:
        """Show what ``read`` returns each time the metrics are asked for. ``name`` without the prefix."""
        self._readings.add(f"servery_{name}", text, labels, read)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counts:
        counts = Counts(f"servery_{name}", text, labels)
        self.registry.register(counts)
        return counts

    def _histogram(self, name: str, text: str, *labels: str) -> Distributions:
        distributions = Distributions(f"servery_{name}", text, labels, bounds=_SECONDS)
        self.registry.register(distributions)
        return distributions
