"""Which replica is least busy, without looking at all of them.

Two heaps, whose entries are never changed: a new entry makes the older ones of the same replica void, and void ones are
thrown away when they come to the top. While a replica computes, what orders it is when it will be done; that moment
does not move while time passes. Once it is there, only the pressure of its streams orders it, and what it has computed
so far, so that replicas that are all idle take turns.
"""

from heapq import heapify, heappop, heappush

_VOID_FACTOR = 8
_DIGITS = 3
"""Pressures that differ by less than a millisecond are alike."""


class LeastBusy:
    """Replicas are numbers below ``count``."""

    __slots__ = ("_busy", "_idle", "_version")

    def __init__(self) -> None:
        self._version: list[int] = []
        self._busy: list[tuple[float, int, int, float, float]] = []
        self._idle: list[tuple[float, float, int, int]] = []

    def add(self) -> None:
        """One replica more; it is known once it is put."""
        self._version.append(0)

    def put(self, number: int, *, done_s: float, pressure_s: float, computed_tokens: float) -> None:
        """What is known of a replica now."""
        version = self._version[number] = self._version[number] + 1
        heappush(self._busy, (done_s, number, version, pressure_s, computed_tokens))
        if len(self._busy) + len(self._idle) > _VOID_FACTOR * (len(self._version) + 1):
            self._sweep()

    def take_away(self, number: int) -> None:
        """Not to be found until it is put again."""
        self._version[number] += 1

    def least(self, now_s: float) -> list[int]:
        """The least busy of those that compute nothing, and the one that will be done first of the others, unless that
        takes longer than the first one's pressure counts."""
        busy, idle, version = self._busy, self._idle, self._version
        while busy:
            done_s, number, valid, pressure_s, computed_tokens = busy[0]
            if valid != version[number]:
                heappop(busy)
            elif done_s <= now_s:
                heappop(busy)
                heappush(idle, (round(pressure_s, _DIGITS), computed_tokens, number, valid))
            else:
                break
        while idle and idle[0][3] != version[idle[0][2]]:
            heappop(idle)
        if not idle:
            return [busy[0][1]] if busy else []
        if busy and busy[0][0] - now_s < idle[0][0]:
            return [idle[0][2], busy[0][1]]
        return [idle[0][2]]

    def _sweep(self) -> None:
        self._busy = [one for one in self._busy if one[2] == self._version[one[1]]]
        self._idle = [one for one in self._idle if one[3] == self._version[one[2]]]
        heapify(self._busy)
        heapify(self._idle)
