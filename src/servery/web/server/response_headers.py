"""The headers of inference responses, as the lines that go over the wire.

Written out where their values are put in: then compiled code puts them together itself, which is several times faster.
"""

import math
from typing import Final

from servery.core.errors import LimitExceeded, ServeryError
from servery.core.limit_reading import LimitReading
from servery.serving.reply import StreamStart
from servery.serving.served import Served
from servery.web.server.response_writer import header_lines

JSON: Final = b"content-type: application/json\r\n"
EVENT_STREAM: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)


def request_headers(request_id: str, id_header: bytes) -> bytes:
    """On every inference response, refusals too. ``id_header``: another one that tells the same, if there is one."""
    told = request_id.encode()
    line = b"x-request-id: %b\r\n" % told
    return line + b"%b: %b\r\n" % (id_header, told) if id_header else line


def limit_headers(reading: LimitReading, *, over_limit: bool = False) -> bytes:
    """The three limits in tokens per minute, that of the account in requests per minute, and what is left of them."""
    return (
        b"x-ratelimit-limit-tokens-prompt: %d\r\n"
        b"x-ratelimit-remaining-tokens-prompt: %d\r\n"
        b"x-ratelimit-limit-tokens-cache-adjusted-prompt: %d\r\n"
        b"x-ratelimit-remaining-tokens-cache-adjusted-prompt: %d\r\n"
        b"x-ratelimit-limit-tokens-generated: %d\r\n"
        b"x-ratelimit-remaining-tokens-generated: %d\r\n"
        b"x-ratelimit-limit-requests: %d\r\n"
        b"x-ratelimit-remaining-requests: %d\r\n"
        b"x-ratelimit-over-limit: %b\r\n"
    ) % (
        reading.prompt,
        reading.prompt_remaining,
        reading.uncached_prompt,
        reading.uncached_prompt_remaining,
        reading.generated,
        reading.generated_remaining,
        reading.requests,
        reading.requests_remaining,
        b"yes" if over_limit else b"no",
    )


def budget_headers(used_share: float) -> bytes:
    """The share of the account's money that is spent or held, from 80 % on."""
    return b"x-servery-budget-used: %.2f\r\n" % used_share


def route_header(told: str) -> bytes:
    """Why a request went to its replica, for operators who ask."""
    return header_lines([(b"x-servery-route", told.encode())])


def served_headers(served: Served) -> bytes:
    """What is known once an answer is complete; times in seconds."""
    usage, report = served.usage, served.report
    return _token_headers(usage.prompt_tokens, cached=usage.cached_prompt_tokens) + (
        b"fireworks-server-time-to-first-token: %b\r\nfireworks-server-processing-time: %b\r\n"
        % (_seconds(report.time_to_first_token_s), _seconds(report.processing_time_s))
    )


def _token_headers(prompt_tokens: int, *, cached: int) -> bytes:
    return b"fireworks-prompt-tokens: %d\r\nfireworks-cached-prompt-tokens: %d\r\n" % (prompt_tokens, cached)


def _seconds(seconds: float) -> bytes:
    """To the millionth. A float's own format takes four times as long, and so do zeros before a number."""
    millionths = int(seconds * 1_000_000 + 0.5)
    digits = b"%d" % (1_000_000 + millionths % 1_000_000)
    return b"%d.%b" % (millionths // 1_000_000, digits[1:])


def stream_headers(start: StreamStart) -> bytes:
    """What is known when a stream's first token arrives."""
    lines = b"fireworks-server-time-to-first-token: %b\r\n" % _seconds(start.time_to_first_token_s)
    if start.prompt_tokens is None:
        return lines
    return lines + _token_headers(start.prompt_tokens, cached=start.cached_prompt_tokens or 0)


def refusal_headers(error: ServeryError) -> bytes:
    """``retry-after`` in whole seconds, rounded up, and to the millisecond; whether a client should retry at all; and
    the limits that were exceeded."""
    headers = [(b"x-should-retry", b"true" if error.retry_helps else b"false")]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
        headers.append((b"retry-after-ms", b"%d" % math.ceil(error.retry_after_s * 1_000)))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    lines = header_lines(headers)
    if isinstance(error, LimitExceeded) and error.reading is not None:
        lines += limit_headers(error.reading, over_limit=True)
    return lines
