"""Traces as Azure published them: CSV with a moment, the prompt's tokens and the answer's.

    TIMESTAMP,ContextTokens,GeneratedTokens
    2023-11-16 18:15:46.6805900,374,44

Nothing is told of what prompts have in common, so no two share a block: what caches would save does not show.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from servery.simulation.traces.lines import LONGEST_TRACE_S, MOST_TOKENS, Line, lines_of
from servery.simulation.traces.request import Request, block_count

BLOCK_TOKENS = 512
HEADER = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


class AzureTrace:
    """A file of such lines, the header first. Time counts from its first request."""

    block_tokens = BLOCK_TOKENS

    def __init__(self, file: Path) -> None:
        self._file = file

    def requests(self) -> Iterator[Request]:
        lines = lines_of(self._file)
        header = next(lines, None)
        if header is not None and tuple(_cells(header)) != HEADER:
            raise header.fault(f"the header is not {','.join(HEADER)}")
        fresh = count()
        began_s: float | None = None
        latest_s = 0.0
        for line in lines:
            moment_s, prompt_tokens, generated_tokens = _entry(line)
            began_s = moment_s if began_s is None else began_s
            arrives_s = moment_s - began_s
            if arrives_s < latest_s:
                raise line.fault("its moment is before that of an earlier line")
            if arrives_s > LONGEST_TRACE_S:
                raise line.fault("its moment is more than a year after the first")
            latest_s = arrives_s
            blocks = tuple(next(fresh) for _ in range(block_count(prompt_tokens, BLOCK_TOKENS)))
            yield Request(arrives_s, prompt_tokens, generated_tokens, blocks)


def _entry(line: Line) -> tuple[float, int, int]:
    """Seconds since the epoch, prompt tokens, generated tokens."""
    cells = _cells(line)
    if len(cells) != len(HEADER):
        raise line.fault(f"expected {len(HEADER)} fields, got {len(cells)}")
    try:
        moment = datetime.fromisoformat(cells[0])
    except ValueError as error:
        raise line.fault(f"expected a moment such as 2023-11-16 18:15:46.6805900, got {cells[0]!r}") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp(), _tokens(line, cells[1]), _tokens(line, cells[2])


def _tokens(line: Line, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MOST_TOKENS):
        raise line.fault(f"expected a number of tokens from 1 to {MOST_TOKENS}, got {text!r}")
    return int(text)


def _cells(line: Line) -> list[str]:
    try:
        return next(csv.reader([line.text.decode("utf-8-sig")], strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise line.fault(f"not CSV: {error}") from error
