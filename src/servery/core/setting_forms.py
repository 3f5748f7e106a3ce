"""The forms that the values of settings have, and how a value that has not its form is told of."""

import re
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from servery.core.resource_name import RESOURCE_ID_PATTERN

_DOMAIN: Final = r"^[a-z0-9.-]{1,253}$"
_POSTGRESQL: Final = r"^postgres(ql)?://"
_FOUR_DOLLARS: Final = r"^\d{1,9}(,\d{1,9}){3}$"

_FORMS: Final = {
    _POSTGRESQL: "a URL such as postgresql://user@host/name",
    _FOUR_DOLLARS: "four whole numbers with commas between, such as 50,500,5000,50000",
    _DOMAIN: "a domain: 1 to 253 of a-z, 0-9, '.' and '-'",
    RESOURCE_ID_PATTERN: "an account id: 1 to 63 of a-z, 0-9 and '-', '-' not at either end",
}
_WORDS: Final = {"int": "a whole number", "float": "a number", "bool": "true or false"}

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000_000_000_000)]
Share = Annotated[float, Meta(gt=0, le=1)]
PostgresqlUrl = Annotated[str, Meta(pattern=_POSTGRESQL)]
AccountId = Annotated[str, Meta(pattern=RESOURCE_ID_PATTERN)]
Domain = Annotated[str, Meta(pattern=_DOMAIN)]
FourDollars = Annotated[str, Meta(pattern=_FOUR_DOLLARS)]


def reworded(message: str, text: str, *, closed_set: type[StrEnum] | None) -> str:
    """msgspec's ``message`` about ``text``, in the words of somebody who sets a variable; ``closed_set`` are the values
    that the setting may have, where they are few."""
    if mismatch := re.match(r"Expected `(\w+)(?: \| null)?`, got `str`", message):
        return f"expected {_WORDS.get(mismatch[1], mismatch[1])}, got {text!r}"
    if bound := re.match(r"Expected `(?:int|float)` (.*)", message):
        return f"expected a number {bound[1]}, got {text!r}"
    if message.startswith("Invalid enum value") and closed_set is not None:
        return f"{text!r} is none of {', '.join(closed_set)}"
    wanted = next((words for pattern, words in _FORMS.items() if pattern in message), None)
    return message if wanted is None else f"{text!r} is not {wanted}"
