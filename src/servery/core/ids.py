"""Identifiers: random ones, and resource names of the form ``accounts/<account>/<collection>/<id>``."""

import random
import secrets
import time
from collections.abc import Callable

RandomHex = Callable[[int], str]
"""Given a number of bytes, twice as many random hexadecimal digits (``secrets.token_hex``)."""


class PseudoRandomHex:
    """Random digits without asking the system each time, which can cost more than all the rest of a request (measured:
    100 microseconds on a virtual machine). For ids alone: they are no credentials and need only be distinct."""

    def __init__(self, seed: int | None = None) -> None:
        self._bits = random.Random(seed).getrandbits  # noqa: S311 - see above

    def __call__(self, size_bytes: int) -> str:
        return self._bits(8 * size_bytes).to_bytes(size_bytes).hex()


def new_request_id(random_hex: RandomHex = secrets.token_hex, wall_ns: Callable[[], int] = time.time_ns) -> str:
    """``chatcmpl-`` and 32 hexadecimal digits: the id of a request, its completion and its posting.

    The first 12 digits are the millisecond, the other 80 bits are random. So ids that are posted together stand
    together in the database's indexes, and a commit writes a few pages, not one or two for each request.
    """
    return f"chatcmpl-{(wall_ns() // 1_000_000).to_bytes(6).hex()}{random_hex(10)}"
