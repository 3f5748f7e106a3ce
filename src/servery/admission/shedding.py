"""Whether to refuse a request at once rather than let it wait in vain.

The chance rises smoothly with the wait that is predicted, from nothing at half of the budget to certainty at all of it:

    1 |              .--
      |            /
      |           /
    0 |_________-'
      0        b/2      b     wait

Who is met by that chance is not drawn anew for each request. Calls of one session fall together, for an hour: a hash of
the session and the hour is their lot (Zhou et al., Overload Control for Scaling WeChat Microservices, SoCC 2018). So
some agents work and some are told to wait, instead of all of them failing a little. Requests without a session take
lots from a sequence that is evenly spread (multiples of the golden ratio), which sheds just the wanted fraction.
"""

import math
from typing import Final

import xxhash

STICKY_S: Final = 3_600.0
_GOLDEN: Final = (math.sqrt(5.0) - 1.0) / 2.0
_HASHES: Final = 2.0**64


def chance_of_shedding(wait_s: float, budget_s: float) -> float:
    """From 0 to 1, without a step or a kink."""
    x = min(max(2.0 * wait_s / budget_s - 1.0, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


class Lots:
    """Each request's lot, from 0 to 1: it is shed when its chance of that is larger."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0.0

    def of(self, account: str, session: str | None, at_s: float) -> float:
        """``at_s`` tells the hour; gateways whose clocks agree draw alike."""
        if session is None:
            self._last = (self._last + _GOLDEN) % 1.0
            return self._last
        return xxhash.xxh3_64_intdigest(f"{account}\0{session}\0{int(at_s // STICKY_S)}".encode()) / _HASHES
