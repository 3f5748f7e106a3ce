"""What the load client is told to do, and what it tells afterwards. Times are seconds."""

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A closed loop: each of ``connections`` sends its next request when its last is answered.

    They begin one after another within ``ramp_s``, so that streams do not run in step. After ``warm_s`` the window
    opens; what happens in it is counted. Then nothing new is begun, and what runs may end within ``grace_s``.
    ``bodies`` are sent in turn; the eight digits ``00000000`` in one are replaced by a number that no other request
    has. ``authorizations`` are used in turn too. ``watched_pid`` is the process whose tree's CPU time is counted.
    """

    port: int
    path: str
    bodies: list[str]
    authorizations: list[str] = []
    headers: dict[str, str] = {}
    connections: int
    ramp_s: float = 0.0
    warm_s: float = 1.0
    window_s: float = 5.0
    grace_s: float = 5.0
    max_requests: int = 5_000_000
    watched_pid: int | None = None
    watch_memory: bool = False


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """The middle and the end of a distribution; all 0 when it is empty."""

    count: int = 0
    p50_s: float = 0.0
    p99_s: float = 0.0
    max_s: float = 0.0

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        if not values:
            return cls()
        ordered = sorted(values)
        last = len(ordered) - 1
        return cls(
            count=len(ordered),
            p50_s=ordered[round(0.50 * last)],
            p99_s=ordered[round(0.99 * last)],
            max_s=ordered[last],
        )


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted in the window; ``errors`` are those from the start to its end, by reason.

    ``first_byte``: from a request's last byte written to the first byte of the answer's body that carries content.
    ``gaps``: between two arrivals of content on one stream. ``open_at_end``: streams in flight when the window closed.
    """

    window_s: float
    requests: int
    chunks: int
    received_bytes: int
    errors: dict[str, int]
    first_byte: Spread
    gaps: Spread
    open_at_end: int
    watched_cpu_s: float
    client_cpu_s: float
    rss_bytes: int = 0
    pss_bytes: int = 0
