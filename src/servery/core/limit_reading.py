"""What an account's limits are at a moment, and which of them was in the way."""

from enum import StrEnum

import msgspec


class LimitMetric(StrEnum):
    """What is limited, by the names that the control API gives them."""

    PROMPT = "TOKENS_PROMPT"
    UNCACHED_PROMPT = "TOKENS_CACHE_ADJUSTED_PROMPT"
    GENERATED = "TOKENS_GENERATED"
    REQUESTS = "REQUESTS"


class LimitReading(msgspec.Struct, frozen=True, kw_only=True):
    """What response headers tell: limits per minute, and what is left of them at ``read_ns``. The three token limits
    are of one model, the requests are of the account. ``burst_minutes``: how many minutes of a limit can be saved up.
    """

    prompt: int
    uncached_prompt: int
    generated: int
    requests: int
    prompt_remaining: int
    uncached_prompt_remaining: int
    generated_remaining: int
    requests_remaining: int
    read_ns: int
    burst_minutes: float = 1.0


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that a request did not fit into: ``requested`` of what it counts, ``remaining`` at that moment, and the
    seconds until there would be enough if nobody else took any."""

    metric: LimitMetric
    limit_per_minute: int
    requested: int
    remaining: int
    wait_s: float
