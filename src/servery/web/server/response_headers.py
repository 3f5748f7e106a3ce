"""The headers of inference responses, as the lines that go over the wire.

Written out where their values are put in: then compiled code puts them together itself, which is several times faster.
"""

import math
from typing import Final

from servery.core.digits import digits
from servery.core.errors import LimitExceeded, MethodNotAllowed, ServeryError
from servery.core.limit_reading import LimitReading
from servery.serving.reply import StreamStart
from servery.serving.served import Served
from servery.web.server.response_writer import header_lines

JSON: Final = b"content-type: application/json\r\n"
EVENT_STREAM: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_THREE_DIGITS: Final = [b"%03d" % number for number in range(1_000)]


def request_headers(request_id: str, id_header: bytes) -> bytes:
    """On every inference response, refusals too. ``id_header``: another one that tells the same, if there is one."""
    told = request_id.encode()
    line = b"x-request-id: %b\r\n" % told
    return line + b"%b: %b\r\n" % (id_header, told) if id_header else line


def limit_headers(reading: LimitReading, *, over_limit: bool = False) -> bytes:
    """The three limits in tokens per minute, that of the account in requests per minute, and what is left of them."""
    return _limits(reading) + _remaining(reading, over_limit=over_limit)


class LimitLines:
    """The same for one reading after the other. Limits hardly change, and are written again only when they have."""

    __slots__ = ("_limits", "_read")

    def __init__(self) -> None:
        self._read: LimitReading | None = None
        self._limits = b""

    def of(self, reading: LimitReading) -> bytes:
        read = self._read
        if (
            read is None
            or reading.prompt != read.prompt
            or reading.uncached_prompt != read.uncached_prompt
            or reading.generated != read.generated
            or reading.requests != read.requests
        ):
            self._limits = _limits(reading)
            self._read = reading
        return self._limits + _remaining(reading, over_limit=False)


def _limits(reading: LimitReading) -> bytes:
    return (
        b"x-ratelimit-limit-tokens-prompt: %d\r\n"
        b"x-ratelimit-limit-tokens-cache-adjusted-prompt: %d\r\n"
        b"x-ratelimit-limit-tokens-generated: %d\r\n"
        b"x-ratelimit-limit-requests: %d\r\n"
    ) % (reading.prompt, reading.uncached_prompt, reading.generated, reading.requests)


def _remaining(reading: LimitReading, *, over_limit: bool) -> bytes:
    return (
        b"x-ratelimit-remaining-tokens-prompt: %d\r\n"
        b"x-ratelimit-remaining-tokens-cache-adjusted-prompt: %d\r\n"
        b"x-ratelimit-remaining-tokens-generated: %d\r\n"
        b"x-ratelimit-remaining-requests: %d\r\n"
        b"x-ratelimit-over-limit: %b\r\n"
    ) % (
        reading.prompt_remaining,
        reading.uncached_prompt_remaining,
        reading.generated_remaining,
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
    first, whole = _millionths(report.time_to_first_token_s), _millionths(report.processing_time_s)
    return (
        b"fireworks-prompt-tokens: %b\r\n"
        b"fireworks-cached-prompt-tokens: %b\r\n"
        b"fireworks-server-time-to-first-token: %b.%b%b\r\n"
        b"fireworks-server-processing-time: %b.%b%b\r\n"
    ) % (
        digits(usage.prompt_tokens),
        digits(usage.cached_prompt_tokens),
        digits(first // 1_000_000),
        _THREE_DIGITS[first // 1_000 % 1_000],
        _THREE_DIGITS[first % 1_000],
        digits(whole // 1_000_000),
        _THREE_DIGITS[whole // 1_000 % 1_000],
        _THREE_DIGITS[whole % 1_000],
    )


def _millionths(seconds: float) -> int:
    """A float's own format takes several times as long."""
    return int(seconds * 1_000_000 + 0.5)


def stream_headers(start: StreamStart) -> bytes:
    """What is known when a stream's first token arrives."""
    first = _millionths(start.time_to_first_token_s)
    lines = b"fireworks-server-time-to-first-token: %b.%b%b\r\n" % (
        digits(first // 1_000_000),
        _THREE_DIGITS[first // 1_000 % 1_000],
        _THREE_DIGITS[first % 1_000],
    )
    if start.prompt_tokens is None:
        return lines
    return b"%bfireworks-prompt-tokens: %b\r\nfireworks-cached-prompt-tokens: %b\r\n" % (
        lines,
        digits(start.prompt_tokens),
        digits(start.cached_prompt_tokens or 0),
    )


def refusal_headers(error: ServeryError) -> bytes:
    """``retry-after`` in whole seconds, rounded up, and to the millisecond; whether a client should retry at all; the
    methods that are allowed; and the limits that were exceeded."""
    headers = [(b"x-should-retry", b"true" if error.retry_helps else b"false")]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
        headers.append((b"retry-after-ms", b"%d" % math.ceil(error.retry_after_s * 1_000)))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allowed.encode()))
    lines = header_lines(headers)
    if isinstance(error, LimitExceeded) and error.reading is not None:
        lines += limit_headers(error.reading, over_limit=True)
    return lines
