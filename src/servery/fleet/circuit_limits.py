"""When a replica is taken out of service, and for how long."""

import msgspec


class CircuitLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``failures_to_open`` in a row."""

    failures_to_open: int = 5
    window_s: float = 30.0
    cool_down_s: float = 5.0
