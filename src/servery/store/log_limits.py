"""The bounds of a write-ahead log."""

import msgspec


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``gather_s``: how long a frame waits at most for more entries while several come at once (``company``).
    ``timeout_s``: how long a caller waits for the disk before it is refused. ``stall_s``: a frame that takes longer
    makes ``is_stalled`` true. ``segment_bytes``: the length of a segment; ``frame_bytes``: the most that a frame holds,
    less than a segment."""

    gather_s: float = 0.005
    timeout_s: float = 10.0
    stall_s: float = 2.0
    segment_bytes: int = 4 << 20
    frame_bytes: int = 1 << 20
