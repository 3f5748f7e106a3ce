"""A count and a distribution as plain numbers: adding to one costs an addition."""

from collections.abc import Sequence
from itertools import accumulate


class Count:
    """How many there have been."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def inc(self, by: int = 1) -> None:
        self.number += by


class Distribution:
    """How many values have been at most as large as each of ``bounds``, and their sum."""

    __slots__ = ("_bounds", "_numbers", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = list(bounds)
        self._numbers = [0] * (len(bounds) + 1)  # the last: larger than all bounds
        self._sum = 0.0

    def observe(self, value: float) -> None:
        place = 0
        for bound in self._bounds:  # there are few, and compiled code is through before bisect has begun
            if value <= bound:
                break
            place += 1
        self._numbers[place] += 1
        self._sum += value

    @property
    def sum(self) -> float:
        return self._sum

    def buckets(self) -> list[tuple[str, float]]:
        """(bound, number of values up to it), each as Prometheus writes it; the last bound is infinity."""
        names = [*map(repr, self._bounds), "+Inf"]
        return list(zip(names, accumulate(self._numbers), strict=True))
