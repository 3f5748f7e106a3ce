"""What a client may ask of the listener, and how long it may take."""

import msgspec


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``pipelined_requests``: how many requests may wait on one connection for the one being served. ``write_buffer``:
    what may lie unsent for one client before its engine is slowed down. ``linger_s``: how long a client that was
    refused may go on sending."""

    max_header_bytes: int
    max_body_bytes: int
    max_connections: int
    header_timeout_s: float
    body_timeout_s: float
    idle_timeout_s: float
    write_stall_timeout_s: float
    pipelined_requests: int = 8
    write_buffer_bytes: int = 64 * 1024
    linger_s: float = 2.0
