"""What became of a second attempt at a request whose first one was slow to answer."""

from enum import StrEnum


class HedgeOutcome(StrEnum):
    """``won``: the second attempt answered first; ``lost``: the first one did after all; ``failed``: neither did;
    ``abandoned``: the client left, or the request was called back, before either did. ``no_room`` and ``no_budget``:
    none was made, because no other replica had room, or too many requests were sent twice lately. Also the metric's
    label."""

    WON = "won"
    LOST = "lost"
    FAILED = "failed"
    ABANDONED = "abandoned"
    NO_ROOM = "no_room"
    NO_BUDGET = "no_budget"
