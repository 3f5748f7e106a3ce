"""What clients do with a refusal."""

from enum import StrEnum
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta


class Retrying(StrEnum):
    """``never``; ``at_once``, as a retry storm does; or ``honestly``, after the time that the refusal named, and up
    to a tenth more."""

    NEVER = "never"
    AT_ONCE = "at_once"
    HONESTLY = "honestly"


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """Each call is tried again at most ``most_retries`` times. ``at_once`` is after ``round_trip_s``: no client is
    faster."""

    retrying: Retrying = Retrying.NEVER
    most_retries: Annotated[int, Meta(ge=0, le=10_000)] = 100
    round_trip_s: Annotated[float, Meta(gt=0)] = 0.05

    def wait_s(self, *, tries: int, retry_after_s: float, random: Random) -> float | None:
        """How long a client waits that was refused ``tries`` times; None when it gives up."""
        if self.retrying is Retrying.NEVER or tries > self.most_retries:
            return None
        if self.retrying is Retrying.AT_ONCE:
            return self.round_trip_s
        return max(self.round_trip_s, retry_after_s * random.uniform(1.0, 1.1))
