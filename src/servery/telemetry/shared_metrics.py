"""The metrics of several workers on one page, whichever of them is asked for it.

Each worker shows its own to the others at a Unix socket. On the page every sample has a label ``worker``; sums over it
are the platform's numbers.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from servery.telemetry.metrics import Metrics

_PATIENCE_S = 1.0


class SharedMetrics:
    """The metrics of worker ``index`` of ``count``, and the way to those of the others. ``directory`` is where their
    sockets are. A single worker has no socket and its samples no label."""

    def __init__(self, metrics: Metrics, directory: Path, *, index: int, count: int) -> None:
        self._metrics = metrics
        self._directory = directory
        self._index = index
        self._count = count
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to show this worker's metrics to the others."""
        if self._count == 1:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = self._socket(self._index)
        socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._show, path=socket)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._socket(self._index).unlink(missing_ok=True)

    async def render(self) -> bytes:
        """The page, in Prometheus' text format. A worker that does not answer in time is left out."""
        if self._count == 1:
            return self._metrics.render()
        pages = await asyncio.gather(*(self._page(index) for index in range(self._count)))
        registry = CollectorRegistry()
        registry.register(_Labelled({str(index): page.decode() for index, page in enumerate(pages)}))
        return generate_latest(registry)

    async def _page(self, index: int) -> bytes:
        if index == self._index:
            return self._metrics.render()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket(index))
                try:
                    return await reader.read(-1)
                finally:
                    writer.close()
        return b""

    async def _show(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(self._metrics.render())
            await writer.drain()
        writer.close()

    def _socket(self, index: int) -> Path:
        return self._directory / f"worker-{index}.sock"


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
