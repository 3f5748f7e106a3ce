"""Cache-aware load balancing as SGLang's router describes it (its documentation, and the blog on version 0.4).

A tree of what was sent stands for each replica's cache. A request goes where most of its prompt lies, if that is more
than a threshold; else where the tree is smallest, which is thought to have room. Only when requests in flight are far
apart does load count, and then alone.

Here a tree is a set of block ids in order of their last use: an id stands for its whole prefix, so that the set holds
the same as the tree would. What is too much for a tree goes in that order.
"""

from collections.abc import Sequence

from servery.core.clock import Clock
from servery.simulation.described.policy import CacheAware
from servery.simulation.engines.block_lru import BlockLru
from servery.simulation.simulated_pool import Machine
from servery.simulation.traces.request import Request


class CacheAwareChoice:
    """Trees are kept by the machine's number."""

    def __init__(self, settings: CacheAware, clock: Clock, *, machines: int, block_tokens: int) -> None:
        self._settings = settings
        self._clock = clock
        limit = max(1, settings.tree_tokens // block_tokens)
        self._trees = [BlockLru(limit) for _ in range(machines)]
        self._cut_s = 0.0

    def choose(self, able: Sequence[Machine], request: Request) -> Machine:
        chosen = self._chosen(able, request)
        self._trees[chosen.number].use_uncut(request.blocks)
        now_s = self._clock.monotonic_s()
        if now_s - self._cut_s >= self._settings.cut_every_s:
            self._cut_s = now_s
            for tree in self._trees:
                tree.cut()
        return chosen

    def _chosen(self, able: Sequence[Machine], request: Request) -> Machine:
        settings = self._settings
        least = min(able, key=_in_flight)
        low, high = least.replica.in_flight, max(map(_in_flight, able))
        if high - low > settings.balance_abs_threshold and high > settings.balance_rel_threshold * low:
            return least
        matches = [self._trees[one.number].held(request.blocks) for one in able]
        longest = max(matches)
        if longest > settings.cache_threshold * len(request.blocks):
            return able[matches.index(longest)]
        return min(able, key=lambda one: len(self._trees[one.number]))


def _in_flight(machine: Machine) -> int:
    return machine.replica.in_flight
