"""The ``orderBy`` of lists: ``displayName, createTime desc``."""

from collections.abc import Sequence
from operator import itemgetter

import msgspec

from servery.core.errors import InvalidRequest
from servery.web.control.list_fields import ListField, Rank, Shown, list_field, ordering, parts

Ranked = tuple[list[Rank | None], Shown]
"""A resource, with what each field of an order says of it."""


class ListOrder:
    """Fields ``of`` a resource, first the most significant. False where ``text`` names none. Raises InvalidRequest for
    what is not understood."""

    def __init__(self, text: str, of: type[msgspec.Struct]) -> None:
        self._fields = [_field(part, of) for part in parts(text, param="orderBy")]

    def __bool__(self) -> bool:
        return bool(self._fields)

    def ranked(self, shown: Shown) -> Ranked:
        return [None if (value := field.value(shown)) is None else ordering(value) for field, _ in self._fields], shown

    def sorted(self, ranked: Sequence[Ranked]) -> Sequence[Ranked]:
        """Those that are alike in all fields stay as they are; so do all where there is no field."""
        for place, (_, descending) in reversed(list(enumerate(self._fields))):
            ranked = _sorted(ranked, place, descending=descending)
        return ranked


def _field(part: str, of: type[msgspec.Struct]) -> tuple[ListField, bool]:
    """With whether its order is descending."""
    path, *directions = part.split()
    if directions not in ([], ["asc"], ["desc"]):
        raise InvalidRequest(
            f"orderBy is fields, each with asc or desc after it or nothing, not {part!r}", param="orderBy"
        )
    field = list_field(of, path, param="orderBy")
    if field.kind is None:
        raise InvalidRequest(f"{path!r} is no single value to be put in order", param="orderBy")
    return field, directions == ["desc"]


def _sorted(ranked: Sequence[Ranked], place: int, *, descending: bool) -> Sequence[Ranked]:
    """By the field at ``place``. Those without it come last, whichever way."""
    present = [(rank, each) for each in ranked if (rank := each[0][place]) is not None]
    present.sort(key=itemgetter(0), reverse=descending)
    return [each for _, each in present] + [each for each in ranked if each[0][place] is None]
