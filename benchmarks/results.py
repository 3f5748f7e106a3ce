"""What a run has found. Kept as JSON beside the peers, so that tables can be drawn anew."""

import statistics
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.load import LoadReport
from benchmarks.measure import cpu_us_per_chunk, cpu_us_per_request


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway: its reports, one a round. ``failures``: what could not be measured, and why."""

    name: str
    version: str
    json: list[LoadReport] = []
    streams: list[LoadReport] = []
    failures: dict[str, str] = {}

    @property
    def request_us(self) -> float | None:
        return _median(self.json, cpu_us_per_request)

    @property
    def chunk_us(self) -> float | None:
        return _median(self.streams, cpu_us_per_chunk)

    @property
    def requests_per_s(self) -> float | None:
        return _median(self.json, lambda report: report.requests / report.window_s)

    @property
    def chunks_per_s(self) -> float | None:
        return _median(self.streams, lambda report: report.chunks / report.window_s)

    @property
    def first_byte_p50_s(self) -> float | None:
        return _median(self.streams, lambda report: report.first_byte.p50_s)

    @property
    def first_byte_p99_s(self) -> float | None:
        return _median(self.streams, lambda report: report.first_byte.p99_s)

    @property
    def errors(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for report in (*self.json, *self.streams):
            for reason, count in report.errors.items():
                found[reason] = found.get(reason, 0) + count
        return found


class HeldStreams(msgspec.Struct, frozen=True, kw_only=True):
    """Many streams on one gateway, and on none."""

    streams: int
    gap_ms: float
    held_s: float
    idle_rss_bytes: int
    idle_pss_bytes: int
    gateway: LoadReport
    direct: LoadReport

    @property
    def kib_per_stream(self) -> float:
        return (self.gateway.pss_bytes - self.idle_pss_bytes) / self.streams / 1024

    @property
    def max_to_median_gap(self) -> float:
        return self.gateway.gaps.max_s / self.gateway.gaps.p50_s if self.gateway.gaps.p50_s else float("inf")


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds of CPU per ``unit`` (chunk or request), as ``of`` grows: (how many, cost). ``nginx``: what the same
    load costs there, which is what growth costs the kernel; ``first_uses``: what the first request of each costs, whose
    account and key have to be read. Empty where it was not measured."""

    of: str
    unit: str
    costs: list[tuple[int, float]]
    failure: str | None = None
    nginx: list[tuple[int, float]] = []
    first_uses: list[tuple[int, float]] = []


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. ``machine`` is in words for people."""

    machine: str
    finished: str
    rounds: int
    rows: list[Row]
    held: HeldStreams | None
    growth: list[Growth]

    def row(self, beginning: str) -> Row:
        """The first gateway whose name begins so; an empty row when none was measured."""
        found = (row for row in self.rows if row.name.startswith(beginning))
        return next(found, Row(name=beginning, version=""))


def _median(reports: list[LoadReport], of: Callable[[LoadReport], float]) -> float | None:
    return statistics.median(of(report) for report in reports) if reports else None


def decoded(text: bytes) -> Results:
    """Raises msgspec.ValidationError for what no run has written."""
    return msgspec.json.decode(text, type=Results)


def encoded(results: Results) -> bytes:
    encoder: Any = msgspec.json.Encoder()
    return bytes(msgspec.json.format(encoder.encode(results), indent=1))
