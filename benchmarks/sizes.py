"""How much is measured: the whole, or as much as two minutes allow."""

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """``rounds``: each gateway is started and measured as often, in turn with the others; the median is told."""

    rounds: int
    warm_s: float
    window_s: float
    held_s: float
    growth_window_s: float
    stream_counts: tuple[int, ...]
    account_counts: tuple[int, ...]
    replica_counts: tuple[int, ...]
    prompt_bytes: tuple[int, ...]


FULL = Sizes(
    rounds=3,
    warm_s=1.5,
    window_s=5,
    held_s=120,
    growth_window_s=6,
    stream_counts=(1, 20, 200, 2000),
    account_counts=(1, 100, 10_000),
    replica_counts=(1, 8, 64, 256),
    prompt_bytes=(1_000, 10_000, 100_000, 1_000_000),
)
QUICK = Sizes(
    rounds=1,
    warm_s=0.5,
    window_s=2,
    held_s=5,
    growth_window_s=2,
    stream_counts=(20, 200),
    account_counts=(1, 1000),
    replica_counts=(1, 64),
    prompt_bytes=(1_000, 1_000_000),
)
