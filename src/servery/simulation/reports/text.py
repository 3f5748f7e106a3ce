"""Summaries as text: one beside another, with the differences to the first."""

from collections.abc import Callable, Sequence

from servery.core.money import format_dollars
from servery.simulation.reports.summary import Row, Spread, Summary
from servery.simulation.tally import Ending

_Figure = tuple[str, Callable[[Row], float | None], str]


def _spread(name: str, of: Callable[[Row], Spread | None], unit: str, factor: float) -> list[_Figure]:
    def figure(field: str) -> _Figure:
        def value(row: Row) -> float | None:
            spread = of(row)
            return None if spread is None else factor * float(getattr(spread, field))

        return f"{name} {field}, {unit}", value, ",.3f" if unit == "s" else ",.1f"

    return [figure(field) for field in ("mean", "p50", "p90", "p99")]


_FIGURES: list[_Figure] = [
    ("requests", lambda row: row.requests, ",.0f"),
    ("completed", lambda row: row.endings.get(Ending.COMPLETED, 0), ",.0f"),
    *_spread("first token", lambda row: row.time_to_first_token_s, "s", 1.0),
    *_spread("each token", lambda row: row.time_per_token_s, "ms", 1000.0),
    (
        "stream tokens/s p10",
        lambda row: None if row.stream_tokens_per_s is None else row.stream_tokens_per_s.p10,
        ",.1f",
    ),
    (
        "stream tokens/s p50",
        lambda row: None if row.stream_tokens_per_s is None else row.stream_tokens_per_s.p50,
        ",.1f",
    ),
    ("goodput, tokens/s", lambda row: row.goodput_tokens_per_s, ",.0f"),
    ("cached, % of prompts", lambda row: 100 * row.hit_rate, ",.1f"),
    ("revenue, $", lambda row: row.nanodollars / 1e9, ",.4f"),
]
_MANY_TIMES = 3.0
_REFUSALS = tuple(ending for ending in Ending if ending is not Ending.COMPLETED)


def text_of(summaries: Sequence[Summary]) -> str:
    """A table for the whole run, then one for each serving path where there are several, then one for accounts."""
    parts = [_table("all requests", [one.total for one in summaries], summaries, whole=True)]
    paths = list(dict.fromkeys(path for one in summaries for path in one.by_path))
    if len(paths) > 1:
        for path in paths:
            rows = [one.by_path[path] for one in summaries if path in one.by_path]
            if len(rows) == len(summaries):
                model = summaries[0].models.get(path)
                title = path.value if model is None else f"{path.value}: {model}"
                parts.append(_table(title, rows, summaries, whole=False))
    if any(len(one.by_account) > 1 for one in summaries):
        parts += [_accounts(one) for one in summaries]
    return "\n".join(parts)


def _table(title: str, rows: Sequence[Row], summaries: Sequence[Summary], *, whole: bool) -> str:
    lines = [[title, *(one.policy for one in summaries)]]
    for name, value, form in _FIGURES:
        lines.append([name, *_cells([value(row) for row in rows], form)])
    for ending in _REFUSALS:
        counts = [row.endings.get(ending, 0) for row in rows]
        if any(counts):
            lines.append([ending.value, *_cells(counts, ",.0f")])
    if whole:
        lines += _of_the_run(summaries)
    return aligned(lines)


def _of_the_run(summaries: Sequence[Summary]) -> list[list[str]]:
    pools = list(summaries[0].balance)
    lines = []
    for path in summaries[0].fairness:
        name = "fairness (Jain)" if len(summaries[0].fairness) == 1 else f"fairness of {path.value} (Jain)"
        lines.append([name, *_cells([one.fairness.get(path) for one in summaries], ".3f")])
    for pool in pools:
        name = "balance, max/mean" if len(pools) == 1 else f"balance of {pool}, max/mean"
        lines.append([name, *_cells([one.balance[pool] for one in summaries], ".2f")])
    if any(one.index_error is not None for one in summaries):
        errors = [None if one.index_error is None else 100 * one.index_error for one in summaries]
        lines.append(["index error, % of prompts", *_cells(errors, ".2f")])
    lines += _of_promises(summaries)
    lines.append(["most waiting at the door", *_cells([one.most_waiting for one in summaries], ",.0f")])
    for name, counts in (
        ("calls made again", [one.retries for one in summaries]),
        ("sent elsewhere", [one.attempts_elsewhere for one in summaries]),
        ("called back", [one.called_back for one in summaries]),
    ):
        if any(counts):
            lines.append([name, *_cells(counts, ",.0f")])
    return lines


def _of_promises(summaries: Sequence[Summary]) -> list[list[str]]:
    """Fast's speed and Batch's progress, where there are any."""
    lines = []
    promises = [one.promise for one in summaries if one.promise is not None]
    if len(promises) == len(summaries):
        name = f"Fast streams at {promises[0].target_tokens_per_s:g} tokens/s or more, %"
        kept = [None if one.kept_share is None else 100 * one.kept_share for one in promises]
        lines.append([name, *_cells(kept, ".1f")])
    batches = [one.batch for one in summaries if one.batch is not None]
    if len(batches) == len(summaries):
        timely = [100 * one.timely_rows / one.rows for one in batches]
        lines.append(["batch rows done while requests came, %", *_cells(timely, ".1f")])
        lines.append(["last batch row done after, s", *_cells([one.last_s for one in batches], ",.1f")])
    return lines


def _accounts(summary: Summary) -> str:
    lines = [
        ["account", "requests", "completed", "429", "503", "first token p50, s", "p99, s", "tokens/s", "revenue, $"]
    ]
    shown = [*summary.by_account.items(), *([("all others", summary.others)] if summary.others is not None else [])]
    for name, row in shown:
        first = row.time_to_first_token_s
        shed = sum(row.endings.get(one, 0) for one in _REFUSALS) - row.endings.get(Ending.LIMITED, 0)
        shed -= row.endings.get(Ending.ENGINE_BROKE, 0)
        lines.append(
            [
                name,
                f"{row.requests:,}",
                f"{row.endings.get(Ending.COMPLETED, 0):,}",
                f"{row.endings.get(Ending.LIMITED, 0):,}",
                f"{shed:,}",
                "-" if first is None else f"{first.p50:.3f}",
                "-" if first is None else f"{first.p99:.3f}",
                f"{row.goodput_tokens_per_s:,.0f}",
                format_dollars(row.nanodollars),
            ]
        )
    return f"{summary.policy}, by account\n{aligned(lines)}"


def _cells(values: Sequence[float | None], form: str) -> list[str]:
    """The first as it is, each other with its difference to the first, in per cent or as a multiple."""
    cells = ["-" if value is None else format(value, form) for value in values]
    first = values[0]
    for place, value in enumerate(values[1:], start=1):
        if value is not None and first is not None and first != value:
            change = _change(value / first) if first else "new"
            cells[place] += f"  ({change})"
    return cells


def _change(ratio: float) -> str:
    return f"{ratio:,.1f} x" if ratio >= _MANY_TIMES else f"{100 * (ratio - 1):+.1f} %"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns side by side: the first to the left, the others to the right; a rule below the head."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = []
    for first, *others in lines:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        texts.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]]) + "\n"
