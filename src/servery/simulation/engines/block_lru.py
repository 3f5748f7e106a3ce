"""The prompt cache of a simulated engine: real blocks, the least recently used forgotten first."""

from collections import OrderedDict
from collections.abc import Sequence


class BlockLru:
    """At most ``limit`` blocks, except after ``use_uncut``."""

    __slots__ = ("_held", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def held(self, blocks: Sequence[int]) -> int:
        """How many of ``blocks`` lie here without a gap from the first."""
        held = self._held
        count = 0
        for block in blocks:
            if block not in held:
                break
            count += 1
        return count

    def use(self, blocks: Sequence[int]) -> None:
        """They are here now. A prompt's start counts as used last, so that it is forgotten last."""
        self.use_uncut(blocks)
        self.cut()

    def use_uncut(self, blocks: Sequence[int]) -> None:
        """As ``use``, but nothing is forgotten for them yet."""
        held, move = self._held, self._held.move_to_end
        for block in reversed(blocks):
            held[block] = None
            move(block)

    def cut(self) -> None:
        """Forget what is too much."""
        held = self._held
        for _ in range(len(held) - self._limit):
            held.popitem(last=False)

    def drop(self, blocks: Sequence[int]) -> None:
        """They are not here, whatever was believed."""
        for block in blocks:
            self._held.pop(block, None)

    def clear(self) -> None:
        self._held.clear()
