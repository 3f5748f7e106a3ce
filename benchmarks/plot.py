"""A picture of the table: CPU per chunk and per request, on a logarithmic scale."""

import math
from xml.sax.saxutils import escape

from benchmarks.results import Results, Row

_ROW_HEIGHT = 26
_NAMES_WIDTH = 250
_BARS_WIDTH = 300
_NUMBERS_WIDTH = 70
_PANEL_WIDTH = _BARS_WIDTH + _NUMBERS_WIDTH
_TOP = 64
_OURS, _THEIRS = "#2563eb", "#94a3b8"
_STYLE = "text { font: 13px system-ui, sans-serif; fill: #0f172a } .small { font-size: 11px; fill: #475569 }"


def plot(results: Results) -> str:
    """An SVG document with a bar for each gateway and cost that was measured."""
    rows = [row for row in results.rows if row.chunk_us or row.request_us]
    rows.sort(key=lambda row: row.chunk_us or math.inf)
    width = _NAMES_WIDTH + 2 * _PANEL_WIDTH + 20
    height = _TOP + _ROW_HEIGHT * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#f8fafc"/>',
        '<text x="20" y="28" font-weight="600">CPU time of the gateway, µs; shorter is better</text>',
        *[_text(20, _middle(index), row.name) for index, row in enumerate(rows)],
        *_panel(rows, _NAMES_WIDTH, "per streamed chunk", [row.chunk_us for row in rows]),
        *_panel(rows, _NAMES_WIDTH + _PANEL_WIDTH, "per JSON request", [row.request_us for row in rows]),
        _text(20, height - 10, "Logarithmic scales. Servery with everything on, the others bare.", "small"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def bar_width(value: float, values: list[float]) -> float:
    """From a tenth of the panel for the smallest to all of it for the largest."""
    low, high = math.log10(min(values)), math.log10(max(values))
    share = (math.log10(value) - low) / (high - low) if high > low else 1.0
    return _BARS_WIDTH * (0.1 + 0.9 * share)


def _panel(rows: list[Row], left: int, title: str, costs: list[float | None]) -> list[str]:
    known = [cost for cost in costs if cost]
    parts = [_text(left, 52, title, "small")]
    for index, (row, cost) in enumerate(zip(rows, costs, strict=True)):
        if not cost:
            parts.append(_text(left, _middle(index), "not measured", "small"))
            continue
        width = bar_width(cost, known)
        top = _TOP + _ROW_HEIGHT * index + 4
        colour = _OURS if row.name.startswith("Servery") else _THEIRS
        parts.append(f'<rect x="{left}" y="{top}" width="{width:.0f}" height="16" rx="3" fill="{colour}"/>')
        shown = f"{cost:,.0f}" if cost >= 100 else f"{cost:.1f}"
        parts.append(_text(left + width + 6, _middle(index), shown))
    return parts


def _middle(index: int) -> int:
    return _TOP + _ROW_HEIGHT * index + 17


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(text)}</text>'
