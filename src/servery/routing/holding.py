"""What one replica holds of the tree of prefixes."""

from collections import deque
from typing import Final

from servery.routing.prefix_node import Use

_FEW_ENDS: Final = 64


class Holding:
    """What one replica holds: how much, at most how much, and the uses by which paths end, the oldest first. Those
    whose ``end`` is None by now are void; they are swept out when there are more than ``ends_max`` of all."""

    __slots__ = ("ends", "ends_max", "limit", "size")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.size = 0
        self.ends: deque[Use] = deque()
        self.ends_max = _FEW_ENDS

    def append(self, use: Use) -> None:
        """A path ends by it."""
        self.ends.append(use)
        if len(self.ends) > self.ends_max:
            self.ends = deque([one for one in self.ends if one.end is not None])
            self.ends_max = 2 * len(self.ends) + _FEW_ENDS

    def insert(self, use: Use) -> None:
        """A path ends by a use that is not the last."""
        ends, at = self.ends, len(self.ends)
        while at and ends[at - 1].stamp >= use.stamp:
            at -= 1
        ends.insert(at, use)
