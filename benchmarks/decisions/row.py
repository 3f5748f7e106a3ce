"""One line of the table, and how its figure is taken."""

import timeit
from collections.abc import Callable
from enum import Enum

import msgspec

ROUNDS = 15


class Kind(Enum):
    """What is sent: prompts that share nothing, or half of each one of eight beginnings."""

    FRESH = "fresh prompts"
    SHARED = "8 shared system prompts"


EVERY_KIND = frozenset(Kind)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """``us``: microseconds of one decision. ``asked_by``: the kinds of request that pay it, each once, at 64 replicas
    and 1,000 accounts with prompts of 8,000 tokens."""

    part: str
    what: str
    us: float
    asked_by: frozenset[Kind] = frozenset()


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
