"""Identifiers: random ones, and resource names of the form ``accounts/<account>/<collection>/<id>``."""

import random
import secrets
import time
from collections.abc import Callable
from typing import Final

RandomBits = Callable[[int], int]
"""Given a number of bits, a number of so many at most (``secrets.randbits``)."""

_RANDOM_BITS: Final = 80


def pseudo_random_bits(seed: int | None = None) -> RandomBits:
    """Without asking the system each time, which can cost more than all the rest of a request (measured: 100
    microseconds on a virtual machine). For ids alone: they are no credentials and need only be distinct."""
    return random.Random(seed).getrandbits  # noqa: S311 - see above


def new_request_id(random_bits: RandomBits = secrets.randbits, wall_ns: Callable[[], int] = time.time_ns) -> str:
    """``chatcmpl-`` and 32 hexadecimal digits: the id of a request, its completion and its posting.

    The first 12 digits are the millisecond, the other 80 bits are random. So ids that are posted together stand
    together in the database's indexes, and a commit writes a few pages, not one or two for each request.
    """
    millisecond = (wall_ns() // 1_000_000).to_bytes(6, "big")
    return "chatcmpl-" + (millisecond + random_bits(_RANDOM_BITS).to_bytes(_RANDOM_BITS // 8, "big")).hex()
