"""How fast a pool serves when it is full: the rate by which a wait is predicted."""

import math
from typing import Final

from servery.core.serving_path import ServingClass

HALF_LIFE_S: Final = 10.0
LEAST_S: Final = 0.25
_STEADY_S: Final = 2.0
_GUESS_S: Final = 0.5
_GUESS_REQUESTS: Final = 4.0
_LEAST_SHARE: Final = 0.01
_MOST_SHARE: Final = 0.99
_FIND_NONE: Final = 0.0005
_DOUBTED_REQUESTS: Final = 4.0
_MOST_READY: Final = 2
_READY_SHARE: Final = 0.25
_MEAN_AGE_S: Final = HALF_LIFE_S / math.log(2)


class ServiceRate:
    """Work sent per second of time in which somebody waited, exponentially weighted with a half-life of ten such
    seconds. While nobody waits a pool shows how much is asked of it, not how much it can, so that time does not count:
    the rate found last is kept. Pure: the time is handed in."""

    __slots__ = ("_done_work", "_priority_work", "_requests", "_seconds", "_seen_s", "_work")

    def __init__(self) -> None:
        self._work = 0.0
        self._done_work = 0.0
        self._priority_work = 0.0
        self._requests = 0.0
        self._seconds = 0.0
        self._seen_s: float | None = None

    def waiting(self, now_s: float) -> None:
        """Somebody waits, from now on or still."""
        if self._seen_s is not None and now_s > self._seen_s:
            passed_s = now_s - self._seen_s
            kept = math.exp2(-passed_s / HALF_LIFE_S)
            self._work *= kept
            self._done_work *= kept
            self._priority_work *= kept
            self._requests *= kept
            self._seconds = self._seconds * kept + (1.0 - kept) * _MEAN_AGE_S
        self._seen_s = now_s

    def nobody_waits(self) -> None:
        self._seen_s = None

    def sent(self, serving_class: ServingClass, work: float) -> None:
        """One that waited was sent; ``waiting`` has been called with this moment."""
        self._work += work
        self._requests += 1.0
        if serving_class is ServingClass.PRIORITY:
            self._priority_work += work

    def done(self, work: float) -> None:
        """One is over while somebody waits; ``waiting`` has been called with this moment."""
        self._done_work += work

    def when_full(self, *, places: int, work: float, place_per_s: float) -> float:
        """The rate where it is places that are waited for: as those who have them get done, which is less than what is
        sent while a pool fills up. ``work`` is that of one request; ``place_per_s`` what a place is taken to do until
        some have got done: it counts as much as a few requests, or half a second, and ever less."""
        guess = max(1, places) * place_per_s
        guess_s = max(_GUESS_S, _GUESS_REQUESTS * work / guess) * max(_LEAST_SHARE, 1.0 - self._seconds / _MEAN_AGE_S)
        return (self._done_work + guess_s * guess) / (self._seconds + guess_s)

    def soon(self, work: float, *, first_s: float, within_s: float) -> int:
        """How many requests of so much ``work`` will go within that time, as far as it is known: the first in
        ``first_s`` or, where that is inf, like the others, one after another."""
        if (rate := self.work_per_s) is None:
            return 0
        each_s = work / rate
        first_s = each_s if first_s == math.inf else first_s
        return 0 if first_s > within_s else 1 + int((within_s - first_s) / each_s)

    @property
    def work_per_s(self) -> float | None:
        """None as long as there is too little to tell it from."""
        return self._work / self._seconds if self._seconds >= LEAST_S and self._work > 0 else None

    @property
    def priority_share(self) -> float:
        """Priority's part of what is sent."""
        return self._priority_work / self._work if self._work > 0 else 0.0

    @property
    def steadiness(self) -> float:
        """From 0 to 1: for how long somebody has been waiting nearly all the time, against two seconds."""
        return min(1.0, self._seconds / _STEADY_S)

    @property
    def has_priority(self) -> bool:
        """Whether Priority comes, in an amount that matters."""
        return self.priority_share >= _LEAST_SHARE

    def places_for_priority(self, *, most: int, idle: float) -> int:
        """How many places must be kept free that hardly any Priority finds none: one in two thousand. At most ``most``;
        and fewer where more than ``idle`` places would stand empty for it, on the average.

        Of few requests the share is not believed: it counts as if some more of Standard had been sent.
        """
        believed = self.priority_share * self._requests / (self._requests + _DOUBTED_REQUESTS)
        return places_kept(min(believed, _MOST_SHARE), most=most, idle=idle)


def places_kept(share: float, *, most: int, idle: float) -> int:
    """``ServiceRate.places_for_priority``, where Priority has so large a share.

    Places come free at the rate of all that is sent, and Priority takes them at its share p of that rate. So with n
    kept free what is missing of them is a random walk, at k with a chance of (1 - p) p^k: none is left with one of
    p^n, and n - (p - p^(n+1)) / (1 - p) are empty (as in trunk reservation, Lippman, 1975).
    """
    if share < _LEAST_SHARE:
        return 0
    places, none_left = 0, 1.0
    while places < most and none_left > _FIND_NONE:
        none_left *= share
        if places + 1 - (share - none_left * share) / (1.0 - share) > idle:
            break
        places += 1
    return places


def replicas_kept(replicas: int) -> int:
    """At how many of so many a place stays free where no prompt waits, while places are kept for Priority: of no use
    are those beside the prompts that are computed for it. Of few replicas none: too many engines would be idle."""
    return min(_MOST_READY, int(_READY_SHARE * replicas))
