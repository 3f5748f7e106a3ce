"""Entries of a file in the order of their moments, whatever order they stand in."""

from collections.abc import Callable, Iterator
from math import inf
from typing import TypeVar

_Entry = TypeVar("_Entry")


def in_order(read: Callable[[], Iterator[_Entry]], *, moment: Callable[[_Entry], float]) -> Iterator[_Entry]:
    """One after another, which needs no memory, where they stand in order already; else sorted, those of one moment as
    they stand. ``read`` begins anew with each call, and is called twice."""
    latest = -inf
    for entry in read():
        if moment(entry) < latest:
            return iter(sorted(read(), key=moment))
        latest = moment(entry)
    return read()
