"""What the replicas of a pool hold in caches that share blocks between requests, such as those of vLLM and SGLang.

Inferred, and corrected in a closed loop: what was sent to a replica is believed to lie there, the least recently used
forgotten first; and each response tells how many prompt tokens really were cached.

    reported less than predicted    what hangs beyond the reported end is forgotten (the prompt itself is there now),
                                    and the replica is believed to be smaller than it was
    nothing at all, twice running   all is forgotten: the engine was started anew behind the same address
    more, or as predicted           the replica may be larger again, up to what it is said to hold

A prediction that leans on a prompt which was still being computed says nothing if it fails: engines that compute
several prompts at once find nothing of one in the other.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from servery.routing.chain import Chain
from servery.routing.marks import MarkedEnd, Marks
from servery.routing.prefix_tree import Holding, Path, PrefixTree

_SHRINK = 0.97
_GROW = 1.01
_SMALLEST_SHARE = 0.125
_STRIKES = 2
_SLACK_SHARE = 32
"""Predictions that are off by less than this part of a prompt, or a first block, are right: units differ a little."""
_SLACK_LEAST = 64

Level = tuple[float, Mapping[int, object]]
"""How much of a prompt lies cached, and where."""


class Lookup:
    """Where a prompt lies."""

    __slots__ = ("begun", "chain", "path", "went_on")

    def __init__(self, chain: Chain, path: Path, begun: MarkedEnd | None, went_on: MarkedEnd | None) -> None:
        self.chain = chain
        self.path = path
        self.begun = begun
        self.went_on = went_on

    def levels(self) -> Iterator[Level]:
        """From the longest prefixes down; a replica may come again, with less."""
        chain, path = self.chain, self.path
        if self.went_on is not None and chain.went_on is not None:
            yield min(chain.length, chain.went_on.end + self.went_on.answer), self.went_on.holders
        if self.begun is not None and chain.begun is not None:
            yield chain.begun.end, self.begun.holders
        if path.part is not None:
            yield chain.covered(path.depth), path.part.holders
        for node in reversed(path.nodes):
            yield node.covers, node.holders


class Stay:
    """One request's prompt at one replica. ``predicted`` of it was believed to be cached; ``is_sure`` unless it leaned
    on a prompt that was not computed yet."""

    __slots__ = ("chain", "is_sure", "life", "predicted", "replica", "stamp")

    def __init__(self, chain: Chain, *, replica: int, stamp: int, life: int, predicted: float, is_sure: bool) -> None:
        self.chain = chain
        self.replica = replica
        self.stamp = stamp
        self.life = life
        self.predicted = predicted
        self.is_sure = is_sure


class _Cache:
    """One replica's. ``share`` is how much of its size it is believed to use for prefixes; ``life`` grows when all is
    forgotten, at stamp ``since``; ``strikes`` counts predictions of which nothing was true."""

    __slots__ = ("holding", "life", "share", "since", "strikes")

    def __init__(self) -> None:
        self.holding = Holding(0.0)
        self.share = 1.0
        self.life = 0
        self.since = 0
        self.strikes = 0


class BlockIndex:
    """What lies where. Replicas are numbers; amounts are in the unit of the chains."""

    def __init__(self) -> None:
        self._tree = PrefixTree()
        self._marks = Marks()
        self._caches: dict[int, _Cache] = {}

    def look_up(self, chain: Chain) -> Lookup:
        find = self._marks.find
        return Lookup(chain, self._tree.path(chain), find(chain.begun), find(chain.went_on))

    def cached(self, lookup: Lookup, replica: int) -> float:
        """How much of the prompt the replica is believed to have."""
        return self._cached(lookup, replica)[0]

    def enter(self, lookup: Lookup, replica: int, *, stamp: int, size: float, oldest: int | None) -> Stay:
        """The prompt is sent there, where ``size`` fits; ``oldest`` is the stamp of the first prompt that is not
        computed there yet."""
        cache = self._caches.get(replica)
        if cache is None:
            cache = self._caches[replica] = _Cache()
        predicted, came = self._cached(lookup, replica)
        chain = lookup.chain
        cache.holding.limit = size * cache.share
        self._tree.enter(chain, lookup.path, replica, cache.holding, stamp=stamp)
        if chain.whole is not None:
            self._marks.leave(chain.whole, replica, stamp=stamp)
        if chain.begun is not None:
            self._marks.leave(chain.begun, replica, stamp=stamp)
        is_sure = oldest is None or came < oldest
        return Stay(chain, replica=replica, stamp=stamp, life=cache.life, predicted=predicted, is_sure=is_sure)

    def answered(self, stay: Stay, length: float) -> None:
        """So long an answer was generated behind the prompt."""
        if stay.chain.whole is not None:
            self._marks.answered(stay.chain.whole, length)

    def correct(self, stay: Stay, reported: float) -> None:
        """So much of the prompt was cached."""
        cache = self._caches[stay.replica]
        if stay.life != cache.life or not stay.is_sure:
            return
        chain, predicted = stay.chain, stay.predicted
        slack = max(_SLACK_LEAST, chain.length / _SLACK_SHARE)
        if reported >= predicted - slack:
            cache.strikes = 0
            if predicted > slack:
                cache.share = min(1.0, cache.share * _GROW)
            return
        cache.share = max(_SMALLEST_SHARE, cache.share * _SHRINK)
        cache.strikes = cache.strikes + 1 if reported <= slack else 0
        if cache.strikes >= _STRIKES:
            self.forget(stay.replica, stamp=stay.stamp)
            return
        there = bisect_right(chain.ends, reported, 0, len(chain.links))
        self._tree.forget_beside(chain, there, stay.replica, cache.holding, before=stay.stamp)

    def forget(self, replica: int, *, stamp: int) -> None:
        """The replica has nothing any more of what was sent there up to now."""
        cache = self._caches.get(replica)
        if cache is not None:
            self._tree.forget_all(replica, cache.holding)
            cache.life += 1
            cache.since = stamp
            cache.strikes = 0
            cache.share = 1.0

    def check_integrity(self) -> None:
        self._tree.check_integrity({number: cache.holding for number, cache in self._caches.items()})

    def _cached(self, lookup: Lookup, replica: int) -> tuple[float, int]:
        """The prefix that the replica has, and the stamp of when the end of it came there."""
        cache = self._caches.get(replica)
        if cache is None:
            return 0, 0
        chain = lookup.chain
        blocks, came = self._tree.held(lookup.path, replica)
        best: float = chain.covered(blocks)
        for mark, end in ((chain.begun, lookup.begun), (chain.went_on, lookup.went_on)):
            if mark is None or end is None or mark.blocks > blocks or replica not in end.holders:
                continue
            reach = mark.end if mark is chain.begun else min(chain.length, mark.end + end.answer)
            stamp = end.holders[replica][1]
            if reach > best and stamp > cache.since:
                best, came = reach, stamp
        return best, came
