"""How long to wait for an engine, and how much to take from it."""

import msgspec


class ExchangeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for an engine, and how much to take from it: for a stream's first token, for each after it, and
    for an answer that comes whole. Of one whose tokens are bounded, no more bytes are taken than these may need."""

    first_byte_timeout_s: float
    chunk_timeout_s: float
    whole_timeout_s: float
    max_event_bytes: int = 4 * 1024 * 1024
    max_body_bytes: int = 256 * 1024 * 1024
    max_refusal_bytes: int = 1024 * 1024
