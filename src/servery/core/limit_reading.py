"""What an account's limits are at a moment, and which of them was in the way."""

from enum import StrEnum

from servery.core.acyclic import acyclic
from servery.core.value import Value


class LimitMetric(StrEnum):
    """What is limited, by the names that the control API gives them."""

    PROMPT = "TOKENS_PROMPT"
    UNCACHED_PROMPT = "TOKENS_CACHE_ADJUSTED_PROMPT"
    GENERATED = "TOKENS_GENERATED"
    REQUESTS = "REQUESTS"


@acyclic
class LimitReading(Value):
    """What response headers tell: limits per minute, and what is left of them at ``read_ns``. The three token limits
    are of one model, the requests are of the account. ``burst_minutes``: how many minutes of a limit can be saved up.
    """

    FIELDS = (
        "prompt",
        "uncached_prompt",
        "generated",
        "requests",
        "prompt_remaining",
        "uncached_prompt_remaining",
        "generated_remaining",
        "requests_remaining",
        "read_ns",
        "burst_minutes",
    )
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        prompt: int,
        uncached_prompt: int,
        generated: int,
        requests: int,
        prompt_remaining: int,
        uncached_prompt_remaining: int,
        generated_remaining: int,
        requests_remaining: int,
        read_ns: int,
        burst_minutes: float = 1.0,
    ) -> None:
        self.prompt = prompt
        self.uncached_prompt = uncached_prompt
        self.generated = generated
        self.requests = requests
        self.prompt_remaining = prompt_remaining
        self.uncached_prompt_remaining = uncached_prompt_remaining
        self.generated_remaining = generated_remaining
        self.requests_remaining = requests_remaining
        self.read_ns = read_ns
        self.burst_minutes = burst_minutes


class Shortage(Value):
    """A limit that a request did not fit into: ``requested`` of what it counts, ``remaining`` at that moment, and the
    seconds until there would be enough if nobody else took any."""

    FIELDS = ("metric", "limit_per_minute", "requested", "remaining", "wait_s")
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        metric: LimitMetric,
        limit_per_minute: int,
        requested: int,
        remaining: int,
        wait_s: float,
    ) -> None:
        self.metric = metric
        self.limit_per_minute = limit_per_minute
        self.requested = requested
        self.remaining = remaining
        self.wait_s = wait_s
