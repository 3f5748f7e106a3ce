"""How many keys are remembered, and for how long."""

import msgspec


class KeyRingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``cached_keys``: how many good keys are remembered. ``refused_keys`` and ``refusal_s``: how many secrets that
    belong to no key are remembered, and for how long. ``lookups``: how many unknown secrets are looked up at once.
    ``last_used_interval_s``: how often the times of last use are written down."""

    cached_keys: int = 65_536
    refused_keys: int = 16_384
    refusal_s: float = 1.0
    lookups: int = 64
    last_used_interval_s: float = 60.0
