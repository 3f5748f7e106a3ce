"""One line of the table, and how its figure is taken."""

import timeit
from collections.abc import Callable

import msgspec

ROUNDS = 15


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """``us``: microseconds of one decision. ``bar_us`` None: there is none."""

    part: str
    what: str
    us: float
    bar_us: float | None = None


def microseconds(
    decide_many: Callable[[], None],
    *,
    decisions: int,
    calls: int = 1,
    prepare: Callable[[], None] = lambda: None,
    rounds_before: int = 1,
) -> float:
    """Of one decision, where ``decide_many`` takes ``decisions`` of them: the fastest of fifteen rounds of ``calls``
    calls, because whatever else the machine does only adds. ``prepare`` comes before each round, and ``rounds_before``
    come first; neither is counted."""
    for _ in range(rounds_before):
        prepare()
        decide_many()
    return min(timeit.repeat(decide_many, prepare, number=calls, repeat=ROUNDS)) / calls / decisions * 1e6
