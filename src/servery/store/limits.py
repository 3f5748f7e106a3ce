"""The bounds of the store."""

import msgspec


class StoreLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``queued_writes``: how many operations may wait for the writer before ``write`` makes its caller wait; those
    that cannot wait (``write_soon``) may fill as many again, then they are refused. ``group_size``: the most
    operations in one transaction. ``gather_s``: how long a commit waits at most for more of them while several tasks
    write at once (``company``). ``commit_timeout_s``: how long a caller waits for its commit before it is refused.
    ``stall_s``: a commit that takes longer makes ``Database.is_stalled`` true.

    SQLite: ``busy_timeout_s``: how long to wait for another process that is writing. ``cached_pages_kib``: memory for
    the writer's pages. ``checkpoint_pages``: the length (of 4 KiB pages) at which the write-ahead log is copied into
    the database.

    PostgreSQL: ``connect_timeout_s``, ``read_timeout_s`` (a short read), ``statement_timeout_s`` (one of the
    writer's). ``readers``: connections for short reads at once. ``reconnect_pause_s``: between attempts, at most.
    ``revision_interval_s``: how often the configuration's revision is read in case a notification was missed.
    """

    queued_writes: int = 32_768
    group_size: int = 1_024
    gather_s: float = 0.005
    commit_timeout_s: float = 10.0
    stall_s: float = 2.0
    busy_timeout_s: float = 20.0
    cached_pages_kib: int = 65_536
    checkpoint_pages: int = 4_000
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 3.0
    statement_timeout_s: float = 20.0
    readers: int = 4
    reconnect_pause_s: float = 1.0
    revision_interval_s: float = 5.0
