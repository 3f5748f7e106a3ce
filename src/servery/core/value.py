"""Values that are equal where they say the same."""

from typing import Any, ClassVar, TypeVar

from servery.core.acyclic import acyclic

_Value = TypeVar("_Value", bound="Value")


@acyclic
class Value:
    """Base of values that are read many times for each request and never encoded: compiled, reading a field of theirs
    costs nothing, which no Struct can offer. Not to be changed once made. ``FIELDS`` names what a class says; compiled
    classes have no ``__slots__`` to be asked for it."""

    __slots__ = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, one) == getattr(other, one) for one in self.FIELDS)

    def __hash__(self) -> int:
        return hash(tuple([getattr(self, one) for one in self.FIELDS]))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join([f'{one}={getattr(self, one)!r}' for one in self.FIELDS])})"


def changed(value: _Value, **changes: Any) -> _Value:
    """The same but for some fields."""
    return type(value)(**{one: getattr(value, one) for one in value.FIELDS} | changes)
