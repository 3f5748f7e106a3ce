"""The platform's own log, written as JSON (``--log-format json``): its lines "request ended" say what was asked, all
other lines are skipped.

A line tells when a request ended and how long it took, so its arrival is known. It does not tell the prompt's blocks:
a log holds nothing of prompts. They are made up so that they agree with the cached tokens that the engine reported: a
request with 3,000 cached tokens shares its first 3,000 with the latest earlier request of its account and model whose
prompt is at least as long, and nothing else. Where two requests would have shared and the policy of that day sent them
apart, the log does not know it: hit rates found in a replay are lower bounds. Refused requests stand in no such line.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import count, islice
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from servery.core.serving_path import ServingPath
from servery.simulation.traces.lines import MOST_TOKENS, lines_of
from servery.simulation.traces.request import Request, block_count

BLOCK_TOKENS = 64
EVENT = "request ended"

_REMEMBERED = 256
_Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class _AnyLine(msgspec.Struct):
    event: str | None = None


class _Ended(msgspec.Struct, gc=False):
    time: datetime
    account: str
    model: str
    path: ServingPath
    prompt_tokens: _Tokens
    cached_prompt_tokens: _Tokens
    generated_tokens: _Tokens
    total_ms: Annotated[int, Meta(ge=0, le=86_400_000)]

    @property
    def arrived_s(self) -> float:
        return self.time.timestamp() - self.total_ms / 1000


class OwnLogTrace:
    """A file of such lines. It is read whole, because lines stand in the order in which requests ended."""

    block_tokens = BLOCK_TOKENS

    def __init__(self, file: Path) -> None:
        self._file = file

    def requests(self) -> Iterator[Request]:
        ended = sorted(self._ended(), key=lambda one: one.arrived_s)
        fresh = count()
        earlier: dict[tuple[str, str], list[tuple[int, ...]]] = {}
        for one in ended:
            chains = earlier.setdefault((one.account, one.model), [])
            needed = block_count(one.prompt_tokens, BLOCK_TOKENS)
            cached = one.cached_prompt_tokens // BLOCK_TOKENS
            shared = next((chain for chain in reversed(chains) if len(chain) >= cached), ())[:cached]
            blocks = (*shared, *islice(fresh, needed - len(shared)))
            chains.append(blocks)
            del chains[:-_REMEMBERED]
            yield Request(
                one.arrived_s - ended[0].arrived_s,
                one.prompt_tokens,
                max(1, one.generated_tokens),
                blocks,
                account=one.account,
                path=one.path,
            )

    def _ended(self) -> Iterator[_Ended]:
        kind = msgspec.json.Decoder(_AnyLine)
        decoder = msgspec.json.Decoder(_Ended)
        for line in lines_of(self._file):
            try:
                if kind.decode(line.text).event != EVENT:
                    continue
                ended = decoder.decode(line.text)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise line.fault(str(error)) from error
            if ended.cached_prompt_tokens > ended.prompt_tokens:
                raise line.fault("more cached prompt tokens than prompt tokens")
            if ended.prompt_tokens > 0:
                yield ended
