"""Counters and distributions as plain numbers, shown when somebody asks: adding to one costs an addition."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Count:
    """How many there have been."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def inc(self, by: int = 1) -> None:
        self.number += by


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


class Distribution:
    """How many values have been at most as large as each of ``bounds``, and their sum."""

    __slots__ = ("_bounds", "_numbers", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._numbers = [0] * (len(bounds) + 1)  # the last: larger than all bounds
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._numbers[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def sum(self) -> float:
        return self._sum

    def buckets(self) -> list[tuple[str, float]]:
        """(bound, number of values up to it), each as Prometheus writes it; the last bound is infinity."""
        names = [*map(repr, self._bounds), "+Inf"]
        return list(zip(names, accumulate(self._numbers), strict=True))


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
