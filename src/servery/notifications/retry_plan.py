"""When a delivery that failed is tried again. Pure; randomness comes in."""

from typing import Final

FIRST_DELAY_S: Final = 5.0
LONGEST_DELAY_S: Final = 3_600.0
GIVE_UP_S: Final = 86_400.0
"""A delivery that has not arrived after so long has failed, and its webhook with it."""


def delay_s(attempts: int, *, random: float) -> float:
    """Seconds to wait after ``attempts`` (1 or more) have failed: exponential, with ``random`` in [0, 1) spreading it
    over its second half ("equal jitter"), so that those that failed together do not come back together."""
    longest = min(FIRST_DELAY_S * 2.0 ** min(attempts - 1, 16), LONGEST_DELAY_S)
    return longest * (0.5 + random / 2)


def next_attempt_ns(*, created_ns: int, now_ns: int, attempts: int, random: float) -> int | None:
    """When to try again; None: never, it has been tried for long enough."""
    if now_ns - created_ns >= GIVE_UP_S * 1e9:
        return None
    return now_ns + int(delay_s(attempts, random=random) * 1e9)
