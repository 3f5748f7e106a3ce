"""Several traces at once."""

from collections.abc import Iterator
from heapq import merge

import msgspec

from servery.simulation.traces.request import Request, Trace


class MergedTrace:
    """All of ``traces``, whose accounts have nothing in common."""

    _SALT = 1 << 90

    def __init__(self, traces: list[Trace]) -> None:
        self._traces = traces
        self.block_tokens = traces[0].block_tokens

    def requests(self) -> Iterator[Request]:
        return merge(*map(self._marked, range(len(self._traces))), key=lambda one: one.arrives_s)

    def _marked(self, number: int) -> Iterator[Request]:
        for one in self._traces[number].requests():
            yield msgspec.structs.replace(
                one,
                account=f"{number}-{one.account}",
                session=f"{number}-{one.session}",
                blocks=tuple([block + number * self._SALT for block in one.blocks]),
            )
