"""Ends of messages at which prompts that were sent may be gone on from, and where those prompts lie."""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from servery.routing.chain import Mark

MARKS_MAX: Final = 32_768


class MarkedEnd:
    """``holders``: the stamps of when each replica was sent it last, and came to have it. ``answer`` is how long the
    answer was that the engine wrote behind it, which lies in its cache too, in the chain's unit."""

    __slots__ = ("answer", "holders")

    def __init__(self, holders: dict[int, tuple[int, int]]) -> None:
        self.holders = holders
        self.answer = 0.0


class Marks:
    """The marks that were left last, at most ``limit``."""

    def __init__(self, *, limit: int = MARKS_MAX) -> None:
        self._limit = limit
        self._ends: OrderedDict[int, MarkedEnd] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ends)

    def find(self, mark: Mark | None) -> MarkedEnd | None:
        return None if mark is None else self._ends.get(mark[0])

    def leave(self, mark: Mark, replica: int, *, stamp: int) -> None:
        """The replica has it now."""
        ends, key = self._ends, mark[0]
        end = ends.get(key)
        if end is None:
            ends[key] = MarkedEnd({replica: (stamp, stamp)})
            if len(ends) > self._limit:
                ends.popitem(last=False)
            return
        ends.move_to_end(key)
        before = end.holders.get(replica)
        end.holders[replica] = (stamp, stamp if before is None else before[1])

    def answered(self, mark: Mark, length: float) -> None:
        """So much was generated behind it."""
        end = self._ends.get(mark[0])
        if end is not None:
            end.answer = length

    def withdraw(self, mark: Mark, replica: int, *, stamp: int, void: Collection[int]) -> None:
        """What came with ``stamp`` was not computed; it is there only if another, none of ``void``, came since."""
        end = self._ends.get(mark[0])
        if end is None:
            return
        used, came = end.holders.get(replica, (-1, -1))
        if came == stamp:
            if used == stamp or used in void:
                del end.holders[replica]
            else:
                end.holders[replica] = (used, used)

    def forget(self, replica: int) -> None:
        """The replica has nothing any more."""
        for end in self._ends.values():
            end.holders.pop(replica, None)
