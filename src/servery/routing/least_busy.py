"""Which replica is least busy, without looking at all of them.

Two heaps, in which each replica stands once. While a replica computes, what orders it is when it will be done; that
moment does not move while time passes. Once it is there, only the pressure of its streams orders it, and what it has
computed so far, so that replicas that are all idle take turns.

Prompts that are sent make that moment later, and nothing is told of it: an entry is a lower bound, and is made true
when it comes to the top. Only what makes it earlier is told, by a new entry that makes the older one void; void ones
are thrown away when they come to the top.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Protocol

_VOID_FACTOR = 8
_DIGITS = 3
"""Pressures that differ by less than a millisecond are alike."""


class Busy(Protocol):
    """A replica: when it will have computed all that was sent there, the pressure of its streams, and what it has
    computed so far. ``shown_done_s`` is kept here, and is never later than ``done_s`` unless nobody told."""

    done_s: float
    shown_done_s: float
    computed_tokens: float

    @property
    def pressure_s(self) -> float: ...


class LeastBusy:
    """Of ``replicas``, which are numbers here, and may become more. One is known once it is put."""

    __slots__ = ("_busy", "_idle", "_replicas", "_valid")

    def __init__(self, replicas: Sequence[Busy]) -> None:
        self._replicas = replicas
        self._valid: dict[int, object] = {}
        self._busy: list[tuple[float, int]] = []
        self._idle: list[tuple[float, float, int]] = []

    def put(self, number: int) -> None:
        """It is there, or will be done earlier than was known, or computes something after it had nothing to do."""
        replica = self._replicas[number]
        replica.shown_done_s = done_s = replica.done_s
        entry = self._valid[number] = (done_s, number)
        heappush(self._busy, entry)
        if len(self._busy) + len(self._idle) > _VOID_FACTOR * (len(self._replicas) + 1):
            self._sweep()

    def take_away(self, number: int) -> None:
        """Not to be found until it is put again."""
        self._valid.pop(number, None)

    def least(self, now_s: float) -> list[int]:
        """The least busy of those that compute nothing, and the one that will be done first of the others, unless that
        takes longer than the first one's pressure counts."""
        busy, idle, valid = self._busy, self._idle, self._valid
        while busy:
            entry = busy[0]
            number = entry[1]
            if valid.get(number) is not entry:
                heappop(busy)
                continue
            replica = self._replicas[number]
            done_s = replica.done_s
            if done_s <= now_s:
                heappop(busy)
                rest = valid[number] = (round(replica.pressure_s, _DIGITS), replica.computed_tokens, number)
                heappush(idle, rest)
            elif done_s <= entry[0]:
                break
            else:
                replica.shown_done_s = done_s
                later = valid[number] = (done_s, number)
                heapreplace(busy, later)
        while idle and valid.get(idle[0][2]) is not idle[0]:
            heappop(idle)
        if not idle:
            return [busy[0][1]] if busy else []
        if busy and busy[0][0] - now_s < idle[0][0]:
            return [idle[0][2], busy[0][1]]
        return [idle[0][2]]

    def _sweep(self) -> None:
        valid = self._valid
        self._busy = [one for one in self._busy if valid.get(one[1]) is one]
        self._idle = [one for one in self._idle if valid.get(one[2]) is one]
        heapify(self._busy)
        heapify(self._idle)
