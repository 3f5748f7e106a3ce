"""The bounds of the store."""

import msgspec


class StoreLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``queued_writes``: how many operations may wait for the writer before ``write`` makes its caller wait; those
    that cannot wait (``write_soon``) may fill as many again, then they are refused. ``group_size``: the most
    operations in one transaction. ``gather_s``: the pause between commits while several tasks write at once.
    ``busy_timeout_s``: how long to wait for another process that is writing. ``cached_pages_kib``: memory for the
    writer's pages. ``checkpoint_pages``: the length (of 4 KiB pages) at which the write-ahead log is copied into the
    database.
    """

    queued_writes: int = 32_768
    group_size: int = 1_024
    gather_s: float = 0.003
    busy_timeout_s: float = 20.0
    cached_pages_kib: int = 65_536
    checkpoint_pages: int = 4_000
