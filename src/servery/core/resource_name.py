"""Names of resources."""

import re
from enum import StrEnum
from typing import Self

import msgspec

RESOURCE_ID_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
_RESOURCE_ID = re.compile(RESOURCE_ID_PATTERN)


class Collection(StrEnum):
    """The kinds of resource that a ``model`` field may name."""

    MODELS = "models"
    ROUTERS = "routers"


class ResourceName(msgspec.Struct, frozen=True):
    """``accounts/<account>/<collection>/<id>``."""

    account: str
    collection: Collection
    id: str

    def __str__(self) -> str:
        return f"accounts/{self.account}/{self.collection}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with a sentence for people when ``text`` is not such a name."""
        parts = text.split("/")
        if len(parts) != 4 or parts[0] != "accounts" or parts[2] not in set(Collection):
            raise ValueError(f"{text!r} is not of the form accounts/<account>/models|routers/<id>")
        return cls(checked_resource_id(parts[1]), Collection(parts[2]), checked_resource_id(parts[3]))


def checked_resource_id(text: str) -> str:
    """``text`` if it may be an id: 1 to 63 of a-z, 0-9 and '-', not at either end. Raises ValueError otherwise."""
    if not _RESOURCE_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not an id: 1 to 63 of a-z, 0-9 and '-', '-' not at either end")
    return text
