"""Counters and distributions by their labels, shown when somebody asks."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from servery.telemetry.numbers import Count, Distribution


class Counts(Collector):
    """One count for each tuple of label values."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name = name
        self._text = text
        self._names = labels
        self._counts: dict[tuple[str, ...], Count] = {}

    def labels(self, *values: str) -> Count:
        """Keep what this returns where it is used often: looking it up costs more than counting."""
        assert len(values) == len(self._names), "each label has a value"
        return self._counts.setdefault(values, Count())

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=self._names)
        for values, count in self._counts.items():
            family.add_metric(values, count.number)
        yield family


class Distributions(Collector):
    """One distribution for each tuple of label values."""

    def __init__(self, name: str, text: str, labels: Sequence[str], *, bounds: Sequence[float]) -> None:
        self._name = name
        self._text = text
        self._names = labels
        self._bounds = bounds
        self._distributions: dict[tuple[str, ...], Distribution] = {}

    def labels(self, *values: str) -> Distribution:
        """As ``Counts.labels``."""
        assert len(values) == len(self._names), "each label has a value"
        return self._distributions.setdefault(values, Distribution(self._bounds))

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._names)
        for values, distribution in self._distributions.items():
            family.add_metric(values, distribution.buckets(), distribution.sum)
        yield family
