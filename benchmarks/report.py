"""The results in Markdown."""

from benchmarks.bars import bars
from benchmarks.load import Spread
from benchmarks.measure import cpu_us_per_chunk
from benchmarks.results import Growth, HeldStreams, Results, Row

_INTRODUCTION = """\
# Benchmarks

What a gateway costs, measured by `make bench`: CPU time of the gateway's processes, as the operating system counts it,
under the same load, on one core, before the same mock engine. Servery runs with everything on (keys, limits, queue,
routing, metering, durable ledger), the others bare. [How it is measured, and how to read
it](../benchmarks/README.md).
"""

_LEGEND = """\
CPU per request: whole JSON answers, 32 at once. CPU per chunk: 200 streams of 100 chunks, beginning and end included.
TTFT: milliseconds until the first token at p50 / p99, more than direct. Requests and chunks per second end where one
core for engine and client ends.
"""


def report(results: Results, *, plot: str) -> str:
    """A whole document. ``plot`` is the picture's file name, beside it."""
    parts = [
        _INTRODUCTION,
        f"{results.finished}. {results.machine}. Each figure is {_median_of(results.rounds)}.\n",
        f"![CPU time per streamed chunk and per request]({plot})\n",
        "## Gateways\n",
        comparison_table(results),
        _LEGEND,
        _notes(results.rows),
        "## The bars\n",
        bars_table(results),
        *([held_section(results.held)] if results.held else []),
        "## As work grows\n",
        "CPU of Servery, each figure from one start. What more streams cost nginx is what they cost the kernel.",
        "Of requests, the median of three windows is told, after each account's key was used once.\n",
        *[growth_table(growth) for growth in results.growth],
    ]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def comparison_table(results: Results) -> str:
    """A line for each gateway, with its costs as multiples of nginx's too."""
    lines = [
        "| gateway | version | CPU µs / request | × nginx | requests/s | CPU µs / chunk | × nginx | chunks/s | TTFT |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    nginx, direct = results.row("nginx"), results.row("direct")
    for row in results.rows:
        if "all" in row.failures:
            lines.append(f"| {row.name} | {row.version or '–'} | {_cell(row.failures['all'])} | | | | | | |")
            continue
        is_direct = row is direct
        cells = [
            row.name,
            row.version,
            "–" if is_direct else _number(row.request_us),
            "–" if is_direct else _times(row.request_us, nginx.request_us),
            _number(row.requests_per_s),
            "–" if is_direct else _number(row.chunk_us),
            "–" if is_direct else _times(row.chunk_us, nginx.chunk_us),
            _number(row.chunks_per_s),
            _first_token(row, direct),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def bars_table(results: Results) -> str:
    """Each bar, what was found, and whether it holds."""
    lines = ["| what | bar | found | |", "|---|---|---|---|"]
    for bar in bars(results):
        found = "not measured" if bar.found is None else f"{_number(bar.found)} {bar.unit}"
        verdict = {True: "holds", False: "**missed**", None: ""}[bar.holds]
        lines.append(f"| {bar.what} | ≤ {bar.bound:g} {bar.unit} | {found} | {verdict} |")
    return "\n".join(lines) + "\n"


def held_section(held: HeldStreams) -> str:
    """What many open streams take."""
    ours, direct = held.gateway, held.direct
    return f"""\
## {held.streams:,} open streams

Held for {held.held_s:.0f} s on one core, a chunk each {held.gap_ms:.0f} ms, without the kernel's socket buffers.

| | Servery | direct |
|---|---|---|
| open at the end | {ours.open_at_end:,} | {direct.open_at_end:,} |
| errors | {_errors(ours.errors) or "none"} | {_errors(direct.errors) or "none"} |
| chunks/s | {_number(ours.chunks / ours.window_s)} | {_number(direct.chunks / direct.window_s)} |
| CPU µs / chunk | {_number(cpu_us_per_chunk(ours))} | – |
| memory with no stream, PSS / RSS, MiB | {_mib(held.idle_pss_bytes)} / {_mib(held.idle_rss_bytes)} | – |
| memory with all, PSS / RSS, MiB | {_mib(ours.pss_bytes)} / {_mib(ours.rss_bytes)} | – |
| memory per stream, KiB | {_number(held.kib_per_stream)} | – |
| gap between chunks p50 / p99 / longest, ms | {_gaps(ours.gaps)} | {_gaps(direct.gaps)} |
"""


def growth_table(growth: Growth) -> str:
    counts = "".join(f" {count:,} |" for count, _ in growth.costs)
    costs = "".join(f" {_number(cost)} |" for _, cost in growth.costs)
    failed = f"\nNot measured: {growth.failure}\n" if growth.failure else ""
    rule = "---|" * len(growth.costs)
    beside = _beside("of nginx", growth.nginx, growth) + _beside("the first of each", growth.first_uses, growth)
    return f"| {growth.of} |{counts}\n|---|{rule}\n| CPU µs / {growth.unit} |{costs}\n{beside}{failed}"


def _beside(what: str, costs: list[tuple[int, float]], growth: Growth) -> str:
    """Another line of the table; none where there is nothing to tell."""
    known = dict(costs)
    cells = "".join(f" {_number(known.get(count))} |" for count, _ in growth.costs)
    return f"| {what} |{cells}\n" if known else ""


def _notes(rows: list[Row]) -> str:
    lines = [
        f"- {row.name}: {what}: {reason}" for row in rows for what, reason in row.failures.items() if what != "all"
    ]
    lines += [f"- {row.name}: {_errors(row.errors)}" for row in rows if row.errors]
    return "\n".join(["Not answered, or not with 200:\n", *lines]) + "\n" if lines else ""


def _median_of(rounds: int) -> str:
    return f"the median of {rounds} rounds" if rounds > 1 else "from one round, so rough"


def _first_token(row: Row, direct: Row) -> str:
    if row.first_byte_p50_s is None or row.first_byte_p99_s is None:
        return "–"
    if direct.first_byte_p50_s is None or direct.first_byte_p99_s is None:
        return "–"
    if row is direct:
        return f"{_number(row.first_byte_p50_s * 1e3)} / {_number(row.first_byte_p99_s * 1e3)} in all"
    p50_s = row.first_byte_p50_s - direct.first_byte_p50_s
    p99_s = row.first_byte_p99_s - direct.first_byte_p99_s
    return f"{_number(p50_s * 1e3)} / {_number(p99_s * 1e3)}"


def _gaps(gaps: Spread) -> str:
    return " / ".join(_number(seconds * 1e3) for seconds in (gaps.p50_s, gaps.p99_s, gaps.max_s))


def _errors(errors: dict[str, int]) -> str:
    return ", ".join(f"{count:,} × {reason}" for reason, count in sorted(errors.items()))


def _times(ours: float | None, theirs: float | None) -> str:
    return "–" if ours is None or not theirs else _number(ours / theirs)


def _number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _mib(size_bytes: int) -> str:
    return _number(size_bytes / 2**20)


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
