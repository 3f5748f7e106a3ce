"""Where sessions are at home: the same on every gateway, without talking, unless home is crowded.

Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018): replicas and sessions are points on a
ring, and home is the next replica on the ring that can serve and has less than 1.25 times the mean load. A replica that
goes moves its own sessions only, and gets them back when it returns.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import ceil
from typing import Final

from xxhash import xxh3_64_intdigest

_POINTS: Final = 64
"""Of each replica, so that their shares of the ring are about equal."""
_BOUND: Final = 1.25
_STEPS_MAX: Final = 64
_HASH_BITS: Final = 64


class SessionRing:
    """A ring of the replicas of these names."""

    def __init__(self, names: Sequence[str]) -> None:
        points = sorted(
            (xxh3_64_intdigest(f"{name}\0{point}".encode()), number)
            for number, name in enumerate(names)
            for point in range(_POINTS)
        )
        self._places = [place for place, _ in points]
        self._numbers = [number for _, number in points]
        parts = 1 << len(points).bit_length()
        self._shift = _HASH_BITS - len(points).bit_length()
        self._first_of_part = [bisect_left(self._places, part << self._shift) for part in range(parts)]

    def home(self, session: str, *, load: Callable[[int], int | None], mean: float) -> int | None:
        """The number of the home. ``load`` of a replica is what it has in flight, None if it cannot serve; ``mean`` is
        over those that can. None when a good part of the ring is crowded."""
        limit = ceil(_BOUND * (mean + 1))
        numbers = self._numbers
        at, count = self._next_place(xxh3_64_intdigest(session.encode())), len(numbers)
        asked: list[int] = []
        for step in range(min(count, _STEPS_MAX)):
            number = numbers[(at + step) % count]
            if number in asked:
                continue
            there = load(number)
            if there is not None and there + 1 <= limit:
                return number
            asked.append(number)
        return None

    def _next_place(self, place: int) -> int:
        """Which point comes after ``place``. There are more parts of the ring than points, so that it is one of the
        next: halving all of them would wait for memory at each step."""
        places, at = self._places, self._first_of_part[place >> self._shift]
        while at < len(places) and places[at] <= place:
            at += 1
        return at
