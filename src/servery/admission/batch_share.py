"""How much of a pool is Batch's: what others will not want while one of its streams lasts.

A stream that has begun is not stopped, so what Batch takes is gone for some seconds, and by then there may be more of
the others than now. Who comes by chance is as many, at any time, as a Poisson distribution tells: with n inside now
there are hardly ever more than n + 3 sqrt(n) soon.
"""

from math import sqrt
from typing import Final

_DEVIATIONS: Final = 3.0


class BatchShare:
    """``inside`` are those of Batch that are in the pool. They leave the share ``most_headroom`` of each replica free
    at most."""

    __slots__ = ("_most_headroom", "inside")

    def __init__(self, *, most_headroom: float) -> None:
        self.inside = 0
        self._most_headroom = most_headroom

    def headroom(self, *, online: int, places: int) -> float:
        """The share of its limits that each replica keeps free when one more of Batch goes there, beside so many others
        in all of the pool's ``places``."""
        return min(self._most_headroom, _DEVIATIONS * sqrt(online + 1) / max(1, places))
