"""How long to wait for an engine, and how much to take from it."""

from servery.core.value import Value


class ExchangeLimits(Value):
    """How long to wait for an engine, and how much to take from it: for a stream's first token, for each after it, and
    for an answer that comes whole. Of one whose tokens are bounded, no more bytes are taken than these may need."""

    FIELDS = (
        "first_byte_timeout_s",
        "chunk_timeout_s",
        "whole_timeout_s",
        "max_event_bytes",
        "max_body_bytes",
        "max_refusal_bytes",
    )
    __slots__ = FIELDS

    def __init__(
        self,
        *,
        first_byte_timeout_s: float,
        chunk_timeout_s: float,
        whole_timeout_s: float,
        max_event_bytes: int = 4 * 1024 * 1024,
        max_body_bytes: int = 256 * 1024 * 1024,
        max_refusal_bytes: int = 1024 * 1024,
    ) -> None:
        self.first_byte_timeout_s = first_byte_timeout_s
        self.chunk_timeout_s = chunk_timeout_s
        self.whole_timeout_s = whole_timeout_s
        self.max_event_bytes = max_event_bytes
        self.max_body_bytes = max_body_bytes
        self.max_refusal_bytes = max_refusal_bytes
