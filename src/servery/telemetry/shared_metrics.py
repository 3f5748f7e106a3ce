"""The metrics of several workers on one page, whichever of them is asked for it.

On the page every sample has a label ``worker``; sums over it
are the platform's numbers.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from servery.core.siblings import Siblings
from servery.telemetry.metrics import Metrics


class SharedMetrics:
    """The metrics of worker ``index``, and the way to those of its ``siblings``. A single worker's samples have no
    label."""

    def __init__(self, metrics: Metrics, siblings: Siblings, *, index: int) -> None:
        self._metrics = metrics
        self._siblings = siblings
        self._index = index

    async def open(self) -> None:
        """Begin to show this worker's metrics to the others."""
        await self._siblings.open(self._show)

    def close(self) -> None:
        self._siblings.close()

    async def render(self) -> bytes:
        """The page, in Prometheus' text format. A worker that does not answer in time is left out."""
        if not self._siblings.others:
            return self._metrics.render()
        pages = {self._index: self._metrics.render(), **await self._siblings.ask(b"metrics")}
        registry = CollectorRegistry()
        registry.register(_Labelled({str(index): page.decode() for index, page in sorted(pages.items())}))
        return generate_latest(registry)

    def _show(self, question: bytes) -> bytes:
        del question  # there is only one
        return self._metrics.render()


class _Labelled(Collector):
    """The samples of several pages, by the family they belong to, each with the label of its page."""

    def __init__(self, pages: dict[str, str]) -> None:
        self._pages = pages

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for worker, page in self._pages.items():
            for family in text_string_to_metric_families(page):
                joined = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                joined.samples += [one._replace(labels={**one.labels, "worker": worker}) for one in family.samples]
        return families.values()
