"""What one place more or less means for what a pool generates.

A stream's time for a token grows with how full the pool is:

    time for a token = alone + more x fullness        fullness: requests inside over places, from 0 to 1

So of two pools that look alike one loses a tenth of its tokens with a tenth of its places, because each stream goes as
fast as it can; and another loses next to nothing, because its streams share what there is. ``share`` tells which it is:
the part that ``more`` has of a token's time in a full pool, 0 for the first and near 1 for the second. With the
share x of places empty a pool generates

    (1 - x) / (1 - share x)        of what it does when it is full

and what the next place adds there, against what a place of the full pool adds on the average, is

    (1 - share) / (1 - share x)^2

A straight line is laid through what streams have shown, by ranges of fullness (least squares), and of those that they
leave probable the flattest is taken (one standard error). So ``share`` is small until streams have been seen in a pool
that was nearly empty and in one that was full; and as the places that it leaves empty come and go, more is seen.
"""

from math import sqrt
from typing import Final

from servery.admission.speed_control import Counted
from servery.core.acyclic import acyclic

_RANGES: Final = 8
_MOST_STREAMS: Final = 256
"""So many of a range count; of more the older ones count ever less."""
_FIT_EVERY: Final = 16
_FEWEST_STREAMS: Final = 32
_FEWEST_TOKENS: Final = 8
MOST_SHARE: Final = 0.97
LEAST_WORTH: Final = 0.2
"""Of what a place adds on the average. Places that each add less add a twentieth of the tokens at most, together."""


@acyclic
class Heard:
    """One stream, from its first token on. ``crowd_s`` is what ``Crowding.crowd_s`` was then."""

    __slots__ = ("began_s", "count", "crowd_s")

    def __init__(self, count: Counted, crowd_s: float, now_s: float) -> None:
        self.count = count
        self.crowd_s = crowd_s
        self.began_s = now_s


class _Range:
    """Means over its streams, of which ``streams`` count."""

    __slots__ = ("fullness", "streams", "token_s", "variance")

    def __init__(self) -> None:
        self.streams = 0.0
        self.fullness = 0.0
        self.token_s = 0.0
        self.variance = 0.0

    def add(self, token_s: float, fullness: float) -> None:
        """Exponentially weighted (Finch, Incremental calculation of weighted mean and variance, 2009)."""
        self.streams = min(self.streams + 1.0, _MOST_STREAMS)
        part, off_s = 1.0 / self.streams, token_s - self.token_s
        self.fullness += part * (fullness - self.fullness)
        self.token_s += part * off_s
        self.variance = (1.0 - part) * (self.variance + part * off_s * off_s)


class Crowding:
    """``share`` is as told above, ``crowd_s`` the seconds that requests have been inside, in sum. Pure: time is handed
    in."""

    __slots__ = ("_inside", "_learned", "_ranges", "_seen_s", "crowd_s", "share")

    def __init__(self) -> None:
        self.share = 0.0
        self.crowd_s = 0.0
        self._inside = 0
        self._seen_s = 0.0
        self._ranges = [_Range() for _ in range(_RANGES)]
        self._learned = 0

    def inside(self, count: int, now_s: float) -> None:
        """From now on so many are inside."""
        self.crowd_s += self._inside * (now_s - self._seen_s)
        self._inside, self._seen_s = count, now_s

    def begin(self, count: Counted, now_s: float) -> Heard:
        """A stream's first token has come."""
        self.inside(self._inside, now_s)
        return Heard(count, self.crowd_s, now_s)

    def end(self, stream: Heard, *, places: int, replicas: int, now_s: float) -> None:
        """``stream`` has just ended, in a pool of ``places`` at so many ``replicas``: one that had its replica for
        itself could not have been in an emptier one. One whose length is not told, or whose client was too slow, says
        nothing."""
        tokens, seconds = stream.count.generated_tokens, now_s - stream.began_s
        if tokens is None or tokens < _FEWEST_TOKENS or seconds <= 0.0 or places <= 0 or stream.count.is_held_up:
            return
        self.inside(self._inside, now_s)
        fullness = min(1.0, max(replicas, (self.crowd_s - stream.crowd_s) / seconds) / places)
        self._ranges[min(_RANGES - 1, int(_RANGES * fullness))].add(seconds / (tokens - 1), fullness)
        self._learned += 1
        if self._learned % _FIT_EVERY == 0 and self._learned >= _FEWEST_STREAMS:
            self.share = self._fitted()

    def spared(self, loss: float) -> float:
        """The share of the places that may stand empty for no more than the share ``loss`` of the tokens."""
        return spared(self.share, loss=loss)

    def _fitted(self) -> float:
        seen = [one for one in self._ranges if one.streams]
        weight = sum(one.streams for one in seen)
        middle = sum(one.streams * one.fullness for one in seen) / weight
        mean_s = sum(one.streams * one.token_s for one in seen) / weight
        spread = sum(one.streams * (one.fullness - middle) ** 2 for one in seen)
        if spread <= 0.0:
            return 0.0
        together = sum(one.streams * (one.fullness - middle) * (one.token_s - mean_s) for one in seen)
        noise = sum(one.streams * one.variance for one in seen) / weight
        more_s = together / spread - sqrt(noise / spread)
        if more_s <= 0.0:
            return 0.0
        return min(MOST_SHARE, more_s / (mean_s + more_s * (1.0 - middle)))


def spared(share: float, *, loss: float) -> float:
    """``Crowding.spared`` in a pool of that ``share``."""
    return loss / (1.0 - share + loss * share)


def superfluous(share: float, *, worth: float) -> float:
    """``Crowding.superfluous`` in a pool of that ``share``."""
    return (1.0 - sqrt((1.0 - share) / worth)) / share if 1.0 - share < worth else 0.0


def places_left(needed: int, *, places: int, crowding: float) -> int:
    """How many Standard leaves free where Priority needs so many: also those that add next to nothing."""
    return max(needed, int(superfluous(crowding, worth=LEAST_WORTH) * places)) if needed else 0
