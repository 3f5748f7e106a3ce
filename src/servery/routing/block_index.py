"""What the replicas of a pool hold in caches that share blocks between requests, such as those of vLLM and SGLang.

Inferred, and corrected in a closed loop: what was sent to a replica is believed to lie there, the least recently used
forgotten first; and each response tells how many prompt tokens really were cached.

    reported less than predicted    what hangs beyond the reported end is forgotten (the prompt itself is there now),
                                    and the replica is believed to be smaller than it was
    nothing at all, twice running   all is forgotten: the engine was started anew behind the same address
    more, or as predicted           the replica may be larger again, up to what it is said to hold

A prompt that leaves before it was computed is withdrawn: it is not there as if it had been.

A prediction that leans on a prompt which was still being computed says nothing if it fails: engines that compute
several prompts at once find nothing of one in the other.
"""

from bisect import bisect_right
from math import inf
from typing import Final

from servery.core.acyclic import acyclic
from servery.routing.chain import Chain, Mark
from servery.routing.holding import Holding
from servery.routing.lookup import Lookup
from servery.routing.marks import MarkedEnd, Marks
from servery.routing.prefix_node import Holders, Use
from servery.routing.prefix_tree import Path, PrefixTree

_DROPPED_WEIGHT: Final = 0.15
"""What is dropped was used longest ago, so little of it would have been wanted again. Found by replaying traces."""
_SHRINK: Final = 0.97
_GROW: Final = 1.01
_SMALLEST_SHARE: Final = 0.125
_STRIKES: Final = 2
_SLACK_SHARE: Final = 32
"""Predictions that are off by less than this part of a prompt, or a first block, are right: units differ a little."""
_SLACK_LEAST: Final = 64
_FADE: Final = 0.98


@acyclic
class Stay:
    """One request's prompt at one replica. ``predicted`` of it was believed to be cached; ``is_sure`` unless it leaned
    on a prompt that was not computed yet. ``life`` is that of the replica's cache; ``marked`` is the prompt's end."""

    __slots__ = ("chain", "is_sure", "life", "marked", "predicted", "replica", "stamp")

    def __init__(self, chain: Chain, replica: int, stamp: int, *, life: int, predicted: float) -> None:
        self.chain = chain
        self.replica = replica
        self.stamp = stamp
        self.life = life
        self.predicted = predicted
        self.is_sure = True
        self.marked: MarkedEnd | None = None


class _Cache:
    """One replica's. ``share`` is how much of its size it is believed to use for prefixes; ``life`` grows when all is
    forgotten; ``strikes`` counts predictions of which nothing was true. ``void`` are stamps of prompts that were
    withdrawn while older ones are still computed."""

    __slots__ = ("holding", "life", "share", "strikes", "void")

    def __init__(self) -> None:
        self.holding = Holding(inf)  # until something is sent there
        self.void: set[int] = set()
        self.share = 1.0
        self.life = 0
        self.strikes = 0


class BlockIndex:
    """What lies where. Replicas are numbers; amounts are in the unit of the chains."""

    def __init__(self) -> None:
        self._tree = PrefixTree()
        self._marks = Marks()
        self._caches: list[_Cache] = []  # by the number of the replica
        self._latest: Lookup | None = None
        self._lengths = 0.0
        self._in_blocks = 0.0

    def look_up(self, chain: Chain) -> Lookup:
        """To be used at once: the next one that enters, or is corrected, makes it void. Asking again is free until
        then, so who makes an estimate first and is sent next pays once."""
        latest = self._latest
        if latest is not None and latest.chain is chain:
            return latest
        path = self._tree.path(chain)
        lookup = self._latest = Lookup(chain, path)
        ends = chain.ends
        for node in path.nodes:
            lookup.add(float(ends[node.end - 1]), node, node)
        if path.part is not None:
            lookup.add(float(ends[path.depth - 1]), path.part, path.part)
        self._look_up_marks(lookup)
        return lookup

    def forecast(self, lookup: Lookup, replica: int) -> tuple[float, float]:
        """How much of the prompt the replica is believed to have, and what it would drop to make room for the rest,
        weighted by how much that is worth."""
        cached = 0.0
        for level in lookup.levels:
            if level.use_of(replica) is not None:
                cached = level.reach
                break
        caches = self._caches
        if replica >= len(caches):
            return cached, 0.0
        holding = caches[replica].holding
        new = lookup.chain.length - cached
        excess = holding.size + new - holding.limit
        if excess <= 0.0:
            return cached, 0.0
        return cached, _DROPPED_WEIGHT * (excess if excess < new else new)

    def enter(self, lookup: Lookup, replica: int, *, stamp: int, size: float, oldest: int | None) -> Stay:
        """The prompt is sent there, where ``size`` fits; ``oldest`` is the stamp of the first prompt that is not
        computed there yet."""
        self._latest = None
        caches = self._caches
        while replica >= len(caches):
            caches.append(_Cache())
        cache = caches[replica]
        predicted, came = 0.0, 0
        for level in lookup.levels:
            if (before := level.use_of(replica)) is not None:
                predicted, came = level.reach, before.came
                break
        chain = lookup.chain
        # What lies behind a prompt's last whole block is held too, and not counted: so a cache seems that much smaller.
        self._lengths = _FADE * self._lengths + chain.length
        self._in_blocks = _FADE * self._in_blocks + chain.covered(chain.blocks)
        counted = self._in_blocks / self._lengths if self._in_blocks else 1.0
        cache.holding.limit = size * cache.share * counted
        self._tree.enter(chain, lookup.path, replica, cache.holding, stamp=stamp)
        stay = Stay(chain, replica, stamp, life=cache.life, predicted=predicted)
        stay.is_sure = oldest is None or came < oldest
        if chain.whole is not None:
            use = Use(stamp, stamp)
            stay.marked = self._marks.leave(chain.whole, replica, use)
            if chain.begun is not None:
                self._marks.leave(chain.begun, replica, use)
        return stay

    def answered(self, stay: Stay, length: float) -> None:
        """So long an answer was generated behind the prompt."""
        if stay.marked is not None:
            self._latest = None
            stay.marked.answer = length

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
            self.forget(stay.replica)
            return
        self._latest = None
        there = bisect_right(chain.ends, reported, 0, chain.blocks)
        self._tree.forget_beside(chain, there, stay.replica, cache.holding, before=stay.stamp)

    def withdraw(self, stay: Stay, computed: float, *, oldest: int | None) -> None:
        """The prompt has left, and only so much of it was computed, or had been there before. What it brought beyond
        that is not there, unless another has come for it since, which is not withdrawn. ``oldest`` as in ``enter``."""
        cache = self._caches[stay.replica]
        if stay.life != cache.life:
            return
        self._latest = None
        chain, replica, stamp, void = stay.chain, stay.replica, stay.stamp, cache.void
        blocks = bisect_right(chain.ends, computed, 0, chain.blocks)
        self._tree.withdraw(chain, blocks, replica, cache.holding, stamp=stamp, void=void)
        for mark in (chain.whole, chain.begun):
            if mark is not None and mark[1] > computed:
                self._marks.withdraw(mark, replica, stamp=stamp, void=void)
        # Which of them were withdrawn matters only to what came before them and may still be.
        cache.void = set() if oldest is None else {one for one in (*void, stamp) if one > oldest}

    def forget(self, replica: int) -> None:
        """The replica has nothing any more of what was sent there up to now."""
        self._latest = None
        if replica < len(self._caches):
            cache = self._caches[replica]
            self._tree.forget_all(replica, cache.holding)
            self._marks.forget(replica)
            cache.life += 1
            cache.void = set()
            cache.strikes = 0
            cache.share = 1.0

    def check_integrity(self) -> None:
        self._tree.check_integrity({number: cache.holding for number, cache in enumerate(self._caches)})

    def _look_up_marks(self, lookup: Lookup) -> None:
        """Marks reach beyond the blocks before them, at replicas that have those blocks too."""
        chain = lookup.chain
        lookup.begun = self._look_up_mark(lookup, chain.begun)
        self._look_up_mark(lookup, chain.whole)
        self._look_up_mark(lookup, chain.went_on, is_gone_on=True)

    def _look_up_mark(self, lookup: Lookup, mark: Mark | None, *, is_gone_on: bool = False) -> Holders | None:
        """Who was sent all up to there. The prompt may go on from a mark's answer too (``is_gone_on``)."""
        if mark is None or mark[2] > lookup.path.depth:
            return None
        end = self._marks.find(mark)
        if end is None:
            return None
        reach = min(float(lookup.chain.length), mark[1] + end.answer) if is_gone_on else float(mark[1])
        under = _under(lookup.path, mark[2]) if mark[2] else end
        if under is not None:
            lookup.add(reach, end, under)
        return end


def _under(path: Path, blocks: int) -> Holders | None:
    """Who holds the first ``blocks`` blocks of a path."""
    for node in path.nodes:
        if node.end >= blocks:
            return node
    return path.part
