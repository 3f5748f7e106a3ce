"""Ends of messages at which prompts that were sent may be gone on from, and where those prompts lie."""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from servery.routing.chain import Mark
from servery.routing.prefix_node import Holders, Use

MARKS_MAX: Final = 32_768


class MarkedEnd(Holders):
    """Who was sent all up to there. ``answer`` is how long the answer was that the engine wrote behind it, which lies
    in its cache too, in the chain's unit."""

    __slots__ = ("answer",)

    def __init__(self) -> None:
        super().__init__()
        self.answer = 0.0


class Marks:
    """The marks that were left last, at most ``limit``."""

    def __init__(self, *, limit: int = MARKS_MAX) -> None:
        self._limit = limit
        self._ends: OrderedDict[int, MarkedEnd] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ends)

    def find(self, mark: Mark) -> MarkedEnd | None:
        return self._ends.get(mark[0])

    def leave(self, mark: Mark, replica: int, use: Use) -> MarkedEnd:
        """The replica has it now: ``use`` is of one that brings it."""
        ends, key = self._ends, mark[0]
        end = ends.get(key)
        if end is None:
            end = ends[key] = MarkedEnd()
            end.put(replica, use)
            if len(ends) > self._limit:
                ends.popitem(last=False)
            return end
        ends.move_to_end(key)
        before = end.use_of(replica)
        end.put(replica, use if before is None else Use(use.stamp, before.came))
        return end

    def withdraw(self, mark: Mark, replica: int, *, stamp: int, void: Collection[int]) -> None:
        """What came with ``stamp`` was not computed; it is there only if another, none of ``void``, came since."""
        end = self._ends.get(mark[0])
        use = None if end is None else end.use_of(replica)
        if end is None or use is None or use.came != stamp:
            return
        if use.stamp == stamp or use.stamp in void:
            end.drop(replica)
        else:
            end.put(replica, Use(use.stamp, use.stamp))

    def forget(self, replica: int) -> None:
        """The replica has nothing any more."""
        for end in self._ends.values():
            end.drop(replica)
