"""The fields by which lists are chosen from, put in order and shown: those of what they show, by their JSON names."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import UnsetType

from servery.core.errors import InvalidRequest

Shown = Mapping[str, Any]
"""A resource as its JSON says it."""

Rank = tuple[int, Decimal | str]
"""What values are put in order by: numbers come before texts."""

_MOST_FIELDS: Final = 32


class Kind(Enum):
    """What can be compared. TEXT includes moments and numbers that are written as text."""

    TEXT = "text"
    NUMBER = "a number"
    FLAG = "true or false"


class ListField:
    """A field by its path, such as ``createTime`` or ``amount.units``; ``kind`` None: it holds others."""

    __slots__ = ("kind", "parts", "path")

    def __init__(self, path: str, kind: Kind | None) -> None:
        self.path = path
        self.parts = tuple(path.split("."))
        self.kind = kind

    def value(self, shown: Shown) -> Any:
        """Its value; None where there is none."""
        found: Any = shown
        for part in self.parts:
            found = found.get(part) if isinstance(found, dict) else None
        return found


def list_field(of: type[msgspec.Struct], path: str, *, param: str) -> ListField:
    """The field of a resource. Raises InvalidRequest, which blames ``param``, where there is none."""
    inside: Any = of
    for part in path.split("."):
        inside = _inside(inside, part)
        if inside is None:
            names = ", ".join(field.encode_name for field in msgspec.structs.fields(of))
            raise InvalidRequest(f"{path!r} is no field; there are {names}", param=param)
    return ListField(path, _kind(inside))


def parts(text: str, *, param: str) -> list[str]:
    """Those between the commas. Raises InvalidRequest, which blames ``param``, where they are too many or one is
    empty."""
    found = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(found) > _MOST_FIELDS or not all(found):
        raise InvalidRequest(f"{param} is up to {_MOST_FIELDS} fields with commas between them", param=param)
    return found


def ordering(value: Any) -> Rank:
    """What values of one field are put in order by: numbers as such, also those that are written as text."""
    if isinstance(value, str):
        number = _number(value)
        return (1, value) if number is None else (0, number)
    return (0, Decimal(value))


def _number(text: str) -> Decimal | None:
    if not text.strip("-").isdigit():
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _inside(holder: Any, name: str) -> Any:
    if get_origin(holder) is dict:
        return get_args(holder)[1]
    if not (isinstance(holder, type) and issubclass(holder, msgspec.Struct)):
        return None
    return next((_plain(each.type) for each in msgspec.structs.fields(holder) if each.encode_name == name), None)


def _plain(annotation: Any) -> Any:
    """The type itself where the field may be absent or null."""
    if get_origin(annotation) not in {Union, UnionType}:
        return annotation
    left = [each for each in get_args(annotation) if each not in {UnsetType, type(None)}]
    return left[0]


def _kind(annotation: Any) -> Kind | None:
    if not isinstance(annotation, type) or get_origin(annotation) is not None:
        return None
    if issubclass(annotation, bool):
        return Kind.FLAG
    if issubclass(annotation, str):
        return Kind.TEXT
    return Kind.NUMBER if issubclass(annotation, int | float) else None
