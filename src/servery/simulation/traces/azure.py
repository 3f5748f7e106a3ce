"""Traces as Azure published them: CSV with a moment, the prompt's tokens and the answer's.

    TIMESTAMP,ContextTokens,GeneratedTokens
    2023-11-16 18:15:46.6805900,374,44

Columns may stand in any order and have others beside them; BurstGPT's names and its seconds are understood too. Nothing
is told of what prompts have in common, so no two share a block: what caches would save does not show.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

import msgspec

from servery.simulation.traces.lines import LONGEST_TRACE_S, MOST_TOKENS, Line, lines_of
from servery.simulation.traces.order import in_order
from servery.simulation.traces.request import Request, block_count

BLOCK_TOKENS = 512
HEADER = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_NAMES = (("timestamp",), ("contexttokens", "request tokens"), ("generatedtokens", "response tokens"))


def is_header(line: Line) -> bool:
    """Whether ``line`` is the first of such a file, or meant to be."""
    return b"," in line.text and b"timestamp" in line.text.lower() and not line.text.startswith((b"{", b"["))


class _Entry(msgspec.Struct, frozen=True, gc=False):
    line: Line
    moment_s: float
    prompt_tokens: int
    generated_tokens: int


class AzureTrace:
    """A file of such lines, the header first. Time counts from its first request."""

    block_tokens = BLOCK_TOKENS

    def __init__(self, file: Path) -> None:
        self._file = file

    def requests(self) -> Iterator[Request]:
        fresh = count()
        began_s: float | None = None
        for entry in in_order(self._entries, moment=lambda one: one.moment_s):
            began_s = entry.moment_s if began_s is None else began_s
            arrives_s = entry.moment_s - began_s
            if arrives_s > LONGEST_TRACE_S:
                raise entry.line.fault("its moment is more than a year after the first")
            blocks = tuple(islice(fresh, block_count(entry.prompt_tokens, BLOCK_TOKENS)))
            yield Request(arrives_s, entry.prompt_tokens, max(1, entry.generated_tokens), blocks)

    def _entries(self) -> Iterator[_Entry]:
        lines = lines_of(self._file)
        header = next(lines)
        columns = _columns(header)
        width = len(_cells(header))
        for line in lines:
            cells = _cells(line)
            if len(cells) != width:
                raise line.fault(f"expected {width} fields, got {len(cells)}")
            moment, prompt, generated = (cells[column].strip() for column in columns)
            yield _Entry(
                line, _moment_s(line, moment), _tokens(line, prompt, least=1), _tokens(line, generated, least=0)
            )


def _columns(header: Line) -> list[int]:
    """Where the moment, the prompt's tokens and the answer's stand."""
    names = [cell.strip().lower() for cell in _cells(header)]
    columns = [next((names.index(one) for one in known if one in names), None) for known in _NAMES]
    found = [column for column in columns if column is not None]
    if len(found) != len(columns):
        raise header.fault(f"the header has not {','.join(HEADER)}")
    return found


def _moment_s(line: Line, text: str) -> float:
    """Seconds since the epoch, or as they stand."""
    try:
        return float(text) if text.replace(".", "", 1).isdecimal() else _date_s(text)
    except ValueError as error:
        raise line.fault(f"expected a moment such as 2023-11-16 18:15:46.6805900, got {text!r}") from error


def _date_s(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _tokens(line: Line, text: str, *, least: int) -> int:
    digits = text.removesuffix(".0")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9 and least <= int(digits) <= MOST_TOKENS):
        raise line.fault(f"expected a number of tokens from {least} to {MOST_TOKENS}, got {text!r}")
    return int(digits)


def _cells(line: Line) -> list[str]:
    try:
        return next(csv.reader([line.text.decode()], strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise line.fault(f"not CSV: {error}") from error
