"""Traces as Mooncake published them (FAST'25): one JSON object a line.

    {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, ...]}

Milliseconds, tokens, tokens, and an id for each block of the prompt, which stands for it and all before it. Blocks have
512 tokens; in files of others, which look alike, as many as their first lines agree with. What has no id shares nothing
with anybody: the broken block at a prompt's end, where a file leaves it out, or all of a prompt without ``hash_ids``.
"""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from servery.simulation.traces.lines import LONGEST_TRACE_S, MOST_TOKENS, Line, lines_of
from servery.simulation.traces.order import in_order
from servery.simulation.traces.request import Request, block_count

BLOCK_TOKENS = 512
_OTHER_BLOCKS = (16, 32, 64, 128, 256, 1_024, 2_048, 4_096)
_TELLING_LINES = 100
_OWN_IDS = 1 << 61
"""Ids below are taken as they stand; others, which may be of any size or text, are numbered from here."""

_Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class _Entry(msgspec.Struct, gc=False):
    timestamp: Annotated[float, Meta(ge=0)]
    input_length: Annotated[int, Meta(ge=1, le=MOST_TOKENS)]
    output_length: _Tokens
    hash_ids: tuple[int | str, ...] | UnsetType | None = UNSET

    @property
    def ids(self) -> tuple[int | str, ...] | None:
        """None where it has none."""
        return self.hash_ids or None


class MooncakeTrace:
    """A file of such lines. Time counts as the file does; from its first request where that is a date."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.block_tokens = self._found_block_tokens()

    def requests(self) -> Iterator[Request]:
        numbers: dict[int | str, int] = {}
        fresh = count(_OWN_IDS)
        zero_ms: float | None = None
        for line, entry in in_order(self._entries, moment=lambda one: one[1].timestamp):
            if zero_ms is None:
                zero_ms = entry.timestamp if entry.timestamp > LONGEST_TRACE_S * 1000 else 0.0
            arrives_s = (entry.timestamp - zero_ms) / 1000
            if arrives_s > LONGEST_TRACE_S:
                raise line.fault("its timestamp is more than a year after the first; expected milliseconds")
            blocks = [self._number(one, numbers, fresh) for one in entry.ids or ()]
            missing = block_count(entry.input_length, self.block_tokens) - len(blocks)
            if missing < 0 or (blocks and missing > 1):
                raise line.fault(
                    f"{len(blocks)} hash_ids for {entry.input_length} tokens; {len(blocks) + missing} of"
                    f" {self.block_tokens} tokens were expected"
                )
            blocks.extend(islice(fresh, missing))
            yield Request(arrives_s, entry.input_length, max(1, entry.output_length), tuple(blocks))

    def _entries(self) -> Iterator[tuple[Line, _Entry]]:
        decoder = msgspec.json.Decoder(_Entry)
        for line in lines_of(self._file):
            try:
                yield line, decoder.decode(line.text)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise line.fault(str(error)) from error

    def _found_block_tokens(self) -> int:
        """512 unless the first lines agree with another size and not with that."""
        first = [entry for _, entry in islice(self._entries(), _TELLING_LINES) if entry.ids is not None]
        lengths = [(len(one.ids or ()), one.input_length) for one in first]
        for tokens in (BLOCK_TOKENS, *_OTHER_BLOCKS):
            has_all = all(ids == block_count(prompt, tokens) for ids, prompt in lengths)
            if has_all or all(ids == prompt // tokens for ids, prompt in lengths):
                return tokens
        return BLOCK_TOKENS

    def _number(self, written: int | str, numbers: dict[int | str, int], fresh: Iterator[int]) -> int:
        if isinstance(written, int) and 0 <= written < _OWN_IDS:
            return written
        number = numbers.get(written)
        if number is None:
            number = numbers[written] = next(fresh)
        return number
