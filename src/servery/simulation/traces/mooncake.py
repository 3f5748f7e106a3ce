"""Traces as Mooncake published them (FAST'25): one JSON object a line.

    {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, ...]}

Milliseconds, tokens, tokens, and an id for each 512 tokens of the prompt, which stands for them and all before them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from servery.simulation.traces.lines import LONGEST_TRACE_S, MOST_TOKENS, lines_of
from servery.simulation.traces.request import Request, block_count

BLOCK_TOKENS = 512

_Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class _Entry(msgspec.Struct, gc=False):
    timestamp: Annotated[float, Meta(ge=0, le=LONGEST_TRACE_S * 1000)]
    input_length: Annotated[int, Meta(ge=1, le=MOST_TOKENS)]
    output_length: _Tokens
    hash_ids: tuple[Annotated[int, Meta(ge=0, lt=1 << 62)], ...]


class MooncakeTrace:
    """A file of such lines."""

    block_tokens = BLOCK_TOKENS

    def __init__(self, file: Path) -> None:
        self._file = file

    def requests(self) -> Iterator[Request]:
        decoder = msgspec.json.Decoder(_Entry)
        latest = 0.0
        for line in lines_of(self._file):
            try:
                entry = decoder.decode(line.text)
            except msgspec.DecodeError as error:
                raise line.fault(str(error)) from error
            if entry.timestamp < latest:
                raise line.fault(f"timestamp {entry.timestamp:g} is before that of an earlier line, {latest:g}")
            expected = block_count(entry.input_length, BLOCK_TOKENS)
            if len(entry.hash_ids) != expected:
                raise line.fault(
                    f"{len(entry.hash_ids)} hash_ids for {entry.input_length} tokens; {expected} of"
                    f" {BLOCK_TOKENS} tokens were expected"
                )
            latest = entry.timestamp
            yield Request(entry.timestamp / 1000, entry.input_length, max(1, entry.output_length), entry.hash_ids)
