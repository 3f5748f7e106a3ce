"""Summaries as a picture: how long requests waited for their first token, as curves over the share of requests."""

from collections.abc import Sequence
from math import log10
from xml.sax.saxutils import escape

from servery.simulation.tally import Tally

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 50, 50
_COLOURS = ("#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706", "#0891b2", "#64748b")
_STYLE = "text { font: 13px system-ui, sans-serif; fill: #0f172a } .small { font-size: 11px; fill: #475569 }"
_POINTS = 200
_SHORTEST_S = 0.001


def picture_of(named: Sequence[tuple[str, Tally]]) -> str:
    """An SVG document with a curve for each run."""
    curves = [
        (name, sorted(first for group in tally.groups.values() for first in group.first_s)) for name, tally in named
    ]
    longest_s = max((values[-1] for _, values in curves if values), default=1.0)
    top = max(0, int(log10(max(longest_s, _SHORTEST_S)) + 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"',
        f' width="{_WIDTH}" height="{_HEIGHT}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="#f8fafc"/>',
        _text(20, 28, "Time to the first token, by share of completed requests; lower is better"),
        *_grid(top),
    ]
    for place, (name, values) in enumerate(curves):
        colour = _COLOURS[place % len(_COLOURS)]
        if values:
            parts.append(_curve(values, top, colour))
        y = _TOP + 20 * place + 10
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 20}" y="{y - 9}" width="14" height="10" rx="2" fill="{colour}"/>')
        parts.append(_text(_WIDTH - _RIGHT + 40, y, f"{name} ({len(values):,})", "small"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(top: int) -> list[str]:
    parts = []
    for power in range(-3, top + 1):
        y = _y(10.0**power, top)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#e2e8f0"/>')
        parts.append(_text(20, y + 4, f"{10.0**power:g} s", "small"))
    for share in (0, 25, 50, 75, 90, 99):
        x = _x(share / 100)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}" stroke="#e2e8f0"/>')
        parts.append(_text(x - 10, _HEIGHT - _BOTTOM + 18, f"{share} %", "small"))
    return parts


def _curve(values: Sequence[float], top: int, colour: str) -> str:
    last = len(values) - 1
    points = " ".join(
        f"{_x(step / _POINTS):.1f},{_y(values[min(last, step * len(values) // _POINTS)], top):.1f}"
        for step in range(_POINTS + 1)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(seconds: float, top: int) -> float:
    height = (log10(max(seconds, _SHORTEST_S)) + 3) / (top + 3)
    return _HEIGHT - _BOTTOM - height * (_HEIGHT - _TOP - _BOTTOM)


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(text)}</text>'
