"""A trace at other times."""

from collections.abc import Iterator

import msgspec

from servery.simulation.traces.request import Request, Trace


class UnevenTrace:
    """``trace`` as it were if its rate changed: in each period its own time passes at the next of ``rates``, over and
    over."""

    def __init__(self, trace: Trace, rates: tuple[float, ...], *, period_s: float) -> None:
        self._trace = trace
        self._rates = rates
        self._period_s = period_s

    @property
    def block_tokens(self) -> int:
        return self._trace.block_tokens

    def requests(self) -> Iterator[Request]:
        period, began_s = 0, 0.0
        rate = self._rates[0]
        for request in self._trace.requests():
            while request.arrives_s > began_s + rate * self._period_s:
                began_s += rate * self._period_s
                period += 1
                rate = self._rates[period % len(self._rates)]
            arrives_s = period * self._period_s + (request.arrives_s - began_s) / rate
            yield msgspec.structs.replace(request, arrives_s=arrives_s)
