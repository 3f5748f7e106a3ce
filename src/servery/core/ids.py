"""Identifiers: random ones, and resource names of the form ``accounts/<account>/<collection>/<id>``."""

import random
import re
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Self

import msgspec

RESOURCE_ID_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
_RESOURCE_ID = re.compile(RESOURCE_ID_PATTERN)

RandomHex = Callable[[int], str]
"""Given a number of bytes, twice as many random hexadecimal digits (``secrets.token_hex``)."""


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


class PseudoRandomHex:
    """Random digits without asking the system each time, which can cost more than all the rest of a request (measured:
    100 microseconds on a virtual machine). For ids alone: they are no credentials and need only be distinct."""

    def __init__(self, seed: int | None = None) -> None:
        self._bits = random.Random(seed).getrandbits  # noqa: S311 - see above

    def __call__(self, size_bytes: int) -> str:
        return f"{self._bits(8 * size_bytes):0{2 * size_bytes}x}"


def new_request_id(random_hex: RandomHex = secrets.token_hex, wall_ns: Callable[[], int] = time.time_ns) -> str:
    """``chatcmpl-`` and 32 hexadecimal digits: the id of a request, its completion and its posting.

    The first 12 digits are the millisecond, the other 80 bits are random. So ids that are posted together stand
    together in the database's indexes, and a commit writes a few pages, not one or two for each request.
    """
    return f"chatcmpl-{wall_ns() // 1_000_000:012x}{random_hex(10)}"
