"""Why a request went where it went, for receipts and for operators."""

from enum import StrEnum

import msgspec


class RouteReason(StrEnum):
    """``home``: its session lives there. ``prefix``: part of the prompt is cached there. ``least_work``: it will be
    computed there soonest."""

    PREFIX = "prefix"
    HOME = "home"
    LEAST_WORK = "least_work"


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One replica that was considered; the least cost wins.

    cost_s = busy_s + weight x uncached_tokens / rate + dropped_s - discount_s

    ``queued_tokens``: uncached prompt tokens that were sent there and were not computed. ``busy_s``: until it has
    computed them, and the pressure of its streams. ``dropped_s``: what its cache would lose. ``discount_s``: for the
    session's home.
    """

    replica: str
    queued_tokens: float
    busy_s: float
    cached_tokens: float
    uncached_tokens: float
    dropped_s: float
    discount_s: float
    cost_s: float


class Decision(msgspec.Struct, frozen=True):
    """The ``scores`` of all replicas that were considered, the ``chosen`` one's first; ``full`` are the names of those
    that had no room, or had failed the request before."""

    scores: tuple[Score, ...]
    full: tuple[str, ...] = ()

    @property
    def chosen(self) -> Score:
        return self.scores[0]

    @property
    def reason(self) -> RouteReason:
        if self.chosen.discount_s > 0:
            return RouteReason.HOME
        return RouteReason.PREFIX if self.chosen.cached_tokens > 0 else RouteReason.LEAST_WORK

    def told(self) -> str:
        """One line: why, then each replica with its sum, the chosen one first."""
        return "; ".join([f"reason={self.reason.value}", *map(_told, self.scores)])


def _told(score: Score) -> str:
    return (
        f"{score.replica} cost={score.cost_s:.4f}s busy={score.busy_s:.4f}s cached={score.cached_tokens:.0f}"
        f" uncached={score.uncached_tokens:.0f} dropped={score.dropped_s:.4f}s discount={score.discount_s:.4f}s"
    )
