"""Why a request went where it went, for receipts and for operators."""

from enum import StrEnum

import msgspec

Weighed = tuple[float, float, float, int, float, float, float]
"""Of one replica: its cost in seconds, the cached part of the prompt in the chain's unit, negated, the tokens that it
has computed so far, its number, and the seconds that it is busy, that its cache would lose, and that it is discounted.
The least is the best: of equal costs the longer prefix, then who has done less."""


class RouteReason(StrEnum):
    """``home``: its session lives there. ``prefix``: part of the prompt is cached there. ``least_work``: it will be
    computed there soonest."""

    PREFIX = "prefix"
    HOME = "home"
    LEAST_WORK = "least_work"


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One replica that was considered; the least cost wins.

    cost_s = busy_s + weight x uncached_tokens / rate + dropped_s - discount_s

    ``busy_s``: until it has computed what was sent there, and the pressure of its streams. ``dropped_s``: what its
    cache would lose. ``discount_s``: for the session's home.
    """

    replica: str
    busy_s: float
    cached_tokens: float
    uncached_tokens: float
    dropped_s: float
    discount_s: float
    cost_s: float


class Decision(msgspec.Struct, frozen=True):
    """The ``scores`` of all replicas that were considered, the ``chosen`` one's among them."""

    chosen: Score
    scores: tuple[Score, ...]

    @property
    def reason(self) -> RouteReason:
        if self.chosen.discount_s > 0:
            return RouteReason.HOME
        return RouteReason.PREFIX if self.chosen.cached_tokens > 0 else RouteReason.LEAST_WORK

    def told(self) -> str:
        """One line: why, then each replica with its sum, the chosen one first."""
        others = sorted((one for one in self.scores if one is not self.chosen), key=lambda one: one.cost_s)
        return "; ".join([f"reason={self.reason.value}", *map(_told, (self.chosen, *others))])


def _told(score: Score) -> str:
    return (
        f"{score.replica} cost={score.cost_s:.4f}s busy={score.busy_s:.4f}s cached={score.cached_tokens:.0f}"
        f" uncached={score.uncached_tokens:.0f} dropped={score.dropped_s:.4f}s discount={score.discount_s:.4f}s"
    )
