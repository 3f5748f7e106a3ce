"""What a 429 tells programs, beside its message, in every dialect."""

import math

import msgspec
from msgspec import UNSET, UnsetType

from servery.core.errors import LimitExceeded, ServeryError
from servery.core.limit_reading import LimitMetric


class RateLimit(msgspec.Struct, frozen=True):
    """The limit that was in the way for longest; ``requested`` did not fit into what is ``remaining`` of it."""

    metric: LimitMetric
    limit_per_minute: int
    requested: int
    remaining: int
    retry_after_ms: int


def rate_limit(error: ServeryError) -> RateLimit | UnsetType:
    """Of a refusal for a limit; unset for any other."""
    if not isinstance(error, LimitExceeded) or error.shortage is None or error.retry_after_s is None:
        return UNSET
    short = error.shortage
    return RateLimit(
        short.metric,
        short.limit_per_minute,
        short.requested,
        short.remaining,
        math.ceil(error.retry_after_s * 1_000),
    )
