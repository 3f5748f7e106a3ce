"""A heap whose items' keys change.

An item that is set anew leaves its old entry behind, to be skipped when it comes up. Every operation costs O(log n) on
average; once old entries outnumber the items, all are swept away at once.
"""

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Item = TypeVar("Item")

_FEW = 64


class KeyedHeap(Generic[Item]):
    """Items, each with a number; the smallest comes first, and of equals the one that was set first."""

    __slots__ = ("_entries", "_serial", "_serials")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Item]] = []
        self._serials: dict[Item, int] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._serials)

    def set(self, item: Item, key: float) -> None:
        """Add ``item``, or give it another key."""
        self._serial += 1
        self._serials[item] = self._serial
        heappush(self._entries, (key, self._serial, item))
        if len(self._entries) > 2 * len(self._serials) + _FEW:
            self._sweep()

    def discard(self, item: Item) -> None:
        """Take ``item`` out, if it is there."""
        self._serials.pop(item, None)

    def first(self) -> tuple[float, Item] | None:
        """The smallest key and its item; None when there is none."""
        entries, serials = self._entries, self._serials
        while entries:
            key, serial, item = entries[0]
            if serials.get(item) == serial:
                return key, item
            heappop(entries)
        return None

    def clear(self) -> None:
        self._entries.clear()
        self._serials.clear()

    def _sweep(self) -> None:
        self._entries = [entry for entry in self._entries if self._serials.get(entry[2]) == entry[1]]
        heapify(self._entries)
