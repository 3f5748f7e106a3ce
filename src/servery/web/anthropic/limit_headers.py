"""Limits in Anthropic's headers: ``anthropic-ratelimit-<what>-limit``, ``-remaining``, ``-reset``.

Its input tokens are what counts towards its input limit, which cache reads do not: uncached prompt tokens. ``tokens``
stands for the limit that is nearest to its end. ``reset`` is when all of it will be there again.
"""

from servery.core.clock import rfc3339
from servery.core.limit_reading import LimitReading


def anthropic_limit_headers(reading: LimitReading) -> list[tuple[bytes, bytes]]:
    """Twelve headers, beside those that every dialect has."""
    input_tokens = (reading.uncached_prompt, reading.uncached_prompt_remaining)
    output_tokens = (reading.generated, reading.generated_remaining)
    nearest = min((reading.prompt, reading.prompt_remaining), input_tokens, output_tokens, key=_share)
    headers = []
    for name, (limit, remaining) in (
        (b"requests", (reading.requests, reading.requests_remaining)),
        (b"tokens", nearest),
        (b"input-tokens", input_tokens),
        (b"output-tokens", output_tokens),
    ):
        missing = max(0.0, limit * reading.burst_minutes - remaining)
        reset_ns = reading.read_ns + int(missing * 60_000_000_000 / limit)
        headers.append((b"anthropic-ratelimit-" + name + b"-limit", str(limit).encode()))
        headers.append((b"anthropic-ratelimit-" + name + b"-remaining", str(remaining).encode()))
        headers.append((b"anthropic-ratelimit-" + name + b"-reset", rfc3339(reset_ns).encode()))
    return headers


def _share(of_limit: tuple[int, int]) -> float:
    limit, remaining = of_limit
    return remaining / limit
