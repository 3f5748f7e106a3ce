"""The headers of inference responses."""

import math

from servery.core.errors import LimitExceeded, ServeryError
from servery.core.limit_reading import LimitReading
from servery.serving.reply import StreamStart
from servery.serving.served import Served

HeaderList = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")


def request_headers(request_id: str) -> HeaderList:
    """On every inference response, refusals too."""
    return [(b"x-request-id", request_id.encode())]


def limit_headers(reading: LimitReading, *, over_limit: bool = False) -> HeaderList:
    """The three limits in tokens per minute, that of the account in requests per minute, and what is left of them."""
    rows = (
        (b"prompt", reading.prompt, reading.prompt_remaining),
        (b"cache-adjusted-prompt", reading.uncached_prompt, reading.uncached_prompt_remaining),
        (b"generated", reading.generated, reading.generated_remaining),
    )
    headers = []
    for name, limit, remaining in rows:
        headers.append((b"x-ratelimit-limit-tokens-" + name, str(limit).encode()))
        headers.append((b"x-ratelimit-remaining-tokens-" + name, str(remaining).encode()))
    headers.append((b"x-ratelimit-limit-requests", str(reading.requests).encode()))
    headers.append((b"x-ratelimit-remaining-requests", str(reading.requests_remaining).encode()))
    headers.append((b"x-ratelimit-over-limit", b"yes" if over_limit else b"no"))
    return headers


def served_headers(served: Served) -> HeaderList:
    """What is known once an answer is complete; times in seconds."""
    return [
        (b"fireworks-prompt-tokens", str(served.usage.prompt_tokens).encode()),
        (b"fireworks-cached-prompt-tokens", str(served.usage.cached_prompt_tokens).encode()),
        (b"fireworks-server-time-to-first-token", _seconds(served.report.time_to_first_token_s)),
        (b"fireworks-server-processing-time", _seconds(served.report.processing_time_s)),
    ]


def stream_headers(start: StreamStart) -> HeaderList:
    """What is known when a stream's first token arrives."""
    headers = [(b"fireworks-server-time-to-first-token", _seconds(start.time_to_first_token_s))]
    if start.prompt_tokens is not None:
        headers.append((b"fireworks-prompt-tokens", str(start.prompt_tokens).encode()))
        headers.append((b"fireworks-cached-prompt-tokens", str(start.cached_prompt_tokens).encode()))
    return headers


def refusal_headers(error: ServeryError) -> HeaderList:
    """``retry-after`` in whole seconds, rounded up, and to the millisecond; whether a client should retry at all; and
    the limits that were exceeded."""
    headers = [(b"x-should-retry", b"true" if error.retry_helps else b"false")]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after_s))).encode()))
        headers.append((b"retry-after-ms", str(math.ceil(error.retry_after_s * 1_000)).encode()))
    if isinstance(error, LimitExceeded) and error.reading is not None:
        headers += limit_headers(error.reading, over_limit=True)
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def _seconds(value: float) -> bytes:
    return b"%.6f" % value
