"""A heap whose items' keys change.

An item that is set anew leaves its old entry behind, to be skipped when it comes up. Every operation costs O(log n) on
average; once old entries outnumber the items, all are swept away at once.
"""

from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

_FEW: Final = 64


class KeyedHeap(Generic[Item]):
    """Items, each with a number; the smallest comes first, of equals the one that has had its number for longest."""

    __slots__ = ("_current", "_entries", "_serial")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Item]] = []
        self._current: dict[Item, tuple[float, int, Item]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._current)

    def set(self, item: Item, key: float) -> None:
        """Add ``item``, or give it another key."""
        current = self._current.get(item)
        if current is not None and current[0] == key:
            return
        self._serial += 1
        entry = self._current[item] = (key, self._serial, item)
        heappush(self._entries, entry)
        if len(self._entries) > 2 * len(self._current) + _FEW:
            self._sweep()

    def discard(self, item: Item) -> None:
        """Take ``item`` out, if it is there."""
        self._current.pop(item, None)

    def first(self) -> tuple[float, Item] | None:
        """The smallest key and its item; None when there is none."""
        entries = self._entries
        while entries:
            entry = entries[0]
            if self._is_current(entry):
                return entry[0], entry[2]
            heappop(entries)
        return None

    def clear(self) -> None:
        self._entries.clear()
        self._current.clear()

    def _sweep(self) -> None:
        self._entries = [entry for entry in self._entries if self._is_current(entry)]
        heapify(self._entries)

    def _is_current(self, entry: tuple[float, int, Item]) -> bool:
        current = self._current.get(entry[2])
        return current is not None and current[1] == entry[1]
