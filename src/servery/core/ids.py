"""Identifiers: random ones, and resource names of the form ``accounts/<account>/<collection>/<id>``."""

import random
import secrets
import time
from collections.abc import Callable
from typing import Final

RandomBits = Callable[[int], int]
"""Given a number of bits, a number of so many at most (``secrets.randbits``)."""

_RANDOM_BITS: Final = 80
_RANDOM_DIGITS: Final = 20
_DRAWN_IDS: Final = 64


def pseudo_random_bits(seed: int | None = None) -> RandomBits:
    """Without asking the system each time, which can cost more than all the rest of a request (measured: 100
    microseconds on a virtual machine). For ids alone: they are no credentials and need only be distinct."""
    return random.Random(seed).getrandbits  # noqa: S311 - see above


class RequestIds:
    """Ids of requests, of their completions and their postings: ``chatcmpl-`` and 32 hexadecimal digits.

    The first 12 digits are the millisecond, the other 80 bits are random. So ids that are posted together stand
    together in the database's indexes, and a commit writes a few pages, not one or two for each request. Random digits
    are drawn for many ids at once, and those of a millisecond are written once: each costs more than the rest.
    """

    __slots__ = ("_begin", "_drawn", "_millisecond", "_random_bits", "_start", "_wall_ns")

    def __init__(self, random_bits: RandomBits = secrets.randbits, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._random_bits = random_bits
        self._wall_ns = wall_ns
        self._millisecond = -1
        self._start = ""
        self._drawn = ""
        self._begin = 0

    def new(self) -> str:
        millisecond = self._wall_ns() // 1_000_000
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            self._start = "chatcmpl-" + millisecond.to_bytes(6, "big").hex()
        begin = self._begin
        if begin == len(self._drawn):
            begin, drawn = 0, self._random_bits(_DRAWN_IDS * _RANDOM_BITS)
            self._drawn = drawn.to_bytes(_DRAWN_IDS * _RANDOM_BITS // 8, "big").hex()
        end = self._begin = begin + _RANDOM_DIGITS
        return self._start + self._drawn[begin:end]
