"""Which replica is least busy, without looking at all of them.

Two heaps, in which each replica stands once. While a replica computes, what orders it is when it will be done; that
moment does not move while time passes. Once it is there, only the pressure of its streams orders it, and what it has
computed so far, so that replicas that are all idle take turns.

Prompts that are sent make that moment later, and nothing is told of it: an entry is a lower bound, and is made true
when it comes to the top. Only what makes it earlier is told, by a new entry that makes the older one void; void ones
are thrown away when they come to the top.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

_VOID_FACTOR: Final = 8
_ALIKE_PER_S: Final = 1_000.0
"""Pressures that differ by less than a millisecond are alike."""


class Standing:
    """A replica's: when it will have computed all that was sent there, and what it has computed so far.
    ``shown_done_s`` is kept here, and is never later than ``done_s`` unless nobody told."""

    __slots__ = ("computed_tokens", "done_s", "shown_done_s")

    def __init__(self) -> None:
        self.done_s = 0.0
        self.shown_done_s = 0.0
        self.computed_tokens = 0.0


class LeastBusy:
    """Of ``replicas``, which are numbers here, and may become more. One is known once it is put. ``pressure_s`` tells
    the pressure of a replica's streams. Of a replica's entries the one with its latest serial number is valid."""

    __slots__ = ("_busy", "_idle", "_pressure_s", "_replicas", "_serial", "_valid")

    def __init__(self, replicas: Sequence[Standing], pressure_s: Callable[[int], float]) -> None:
        self._replicas = replicas
        self._pressure_s = pressure_s
        self._serial = 0
        self._valid: dict[int, int] = {}
        self._busy: list[tuple[float, int, int]] = []
        self._idle: list[tuple[float, float, int, int]] = []

    def put(self, number: int) -> None:
        """It is there, or will be done earlier than was known, or computes something after it had nothing to do."""
        replica = self._replicas[number]
        replica.shown_done_s = done_s = replica.done_s
        self._serial = self._valid[number] = serial = self._serial + 1
        heappush(self._busy, (done_s, number, serial))
        if len(self._busy) + len(self._idle) > _VOID_FACTOR * (len(self._replicas) + 1):
            self._sweep()

    def take_away(self, number: int) -> None:
        """Not to be found until it is put again."""
        self._valid.pop(number, None)

    def least(self, now_s: float) -> list[int]:
        """The least busy of those that compute nothing, and the one that will be done first of the others, unless that
        takes longer than the first one's pressure counts."""
        soonest = self._soonest(now_s)
        idle, valid = self._idle, self._valid
        while idle:
            pressure_s, _, number, serial = idle[0]
            if valid.get(number) == serial:
                if soonest is not None and soonest[0] - now_s < pressure_s:
                    return [number, soonest[1]]
                return [number]
            heappop(idle)
        return [] if soonest is None else [soonest[1]]

    def _soonest(self, now_s: float) -> tuple[float, int] | None:
        """When the first of those that compute will be done, and which that is. Those that are done by now move over
        to the idle ones."""
        busy, valid = self._busy, self._valid
        while busy:
            shown_s, number, serial = busy[0]
            if valid.get(number) != serial:
                heappop(busy)
                continue
            replica = self._replicas[number]
            done_s = replica.done_s
            if done_s <= now_s:
                heappop(busy)
                pressure_s = int(self._pressure_s(number) * _ALIKE_PER_S + 0.5) / _ALIKE_PER_S
                heappush(self._idle, (pressure_s, replica.computed_tokens, number, serial))
            elif done_s <= shown_s:
                return done_s, number
            else:
                replica.shown_done_s = done_s
                heapreplace(busy, (done_s, number, serial))
        return None

    def _sweep(self) -> None:
        valid = self._valid
        self._busy = [one for one in self._busy if valid.get(one[1]) == one[2]]
        self._idle = [one for one in self._idle if valid.get(one[2]) == one[3]]
        heapify(self._busy)
        heapify(self._idle)
