"""How long those who wait for the disk wait for each other.

Writing costs nearly the same for one as for a hundred. So groups are kept some milliseconds apart while several write,
as PostgreSQL's ``commit_delay`` does. But who waits does not come again before it is served: where clients ask one
thing after the other, soon all of them wait, and the rest of the time is lost.

    wait until the time is over     |xxxxxxxxxxxxx               |     32 came, all of them early
    then until 28 have come         |xxxxxxxxxxx|xxxxxxxxxxx|xxxxxxxxxxx|
    later once more until the time is over: there may be more of them

Whether all have come can be told by when the last one came: ``n`` that come at any time all come within the first
part ``p`` of it with probability ``p ** n``. Where that is too seldom for chance, nobody else was to come, and from
then on a group is written as soon as seven eighths of them are there. The others come while it is written, so that the
processor has something to do, and one who is late holds up nobody. They are counted again where fewer have come twice
when the time was over, and after a time that doubles, up to a second, as long as what was found is found again.
"""

import sys
from typing import Final

_CHANCE: Final = 0.02
_LATE: Final = 8
"""One in so many is not waited for."""
_FIRST_RECOUNT_S: Final = 0.02
_LAST_RECOUNT_S: Final = 1.0
_UNKNOWN: Final = sys.maxsize


class Company:
    """Who alone is waited for never waits. Times are an event loop's."""

    __slots__ = (
        "_counted_s",
        "_gather_s",
        "_has_missed",
        "_is_gathering",
        "_recount_s",
        "_went_s",
        "came_s",
        "due_s",
        "enough",
        "is_counting",
    )

    def __init__(self, gather_s: float) -> None:
        """``gather_s``: the time between two groups, at most."""
        self._gather_s = gather_s
        self._is_gathering = False
        self._has_missed = False  # fewer came than were enough
        self._counted_s = 0.0
        self._recount_s = _FIRST_RECOUNT_S
        self._went_s = 0.0
        self.is_counting = True
        """Whether ``came_s``, when the last one came, is to be told."""
        self.came_s = 0.0
        self.due_s = 0.0
        """From this moment on the next group waits for nobody."""
        self.enough = _UNKNOWN
        """With so many it does not wait at all."""

    def went(self, count: int, now_s: float) -> None:
        """A group is on its way to the disk in which so many are waited for."""
        if count >= self.enough:
            self._has_missed = False
            if now_s - self._counted_s >= self._recount_s:
                self._recount_s = min(2 * self._recount_s, _LAST_RECOUNT_S)
                self.enough = _UNKNOWN
        elif self.enough < _UNKNOWN and not self._has_missed:
            self._has_missed = True  # something may have held them up
        else:
            is_company = self._is_gathering and count > 1 and self._have_all_come(count, now_s)
            if self._has_missed or not is_company:
                self._has_missed = False
                self._recount_s = _FIRST_RECOUNT_S
            self.enough = count - count // _LATE if is_company else _UNKNOWN
            self._counted_s = now_s
        self._is_gathering = count > 1
        self.is_counting = self.enough == _UNKNOWN or self._has_missed
        self.due_s = now_s + self._gather_s if count > 1 else now_s
        self._went_s = now_s

    def _have_all_come(self, count: int, now_s: float) -> bool:
        part = (self.came_s - self._went_s) / max(now_s - self._went_s, self._gather_s)
        return max(part, 0.0) ** count <= _CHANCE
