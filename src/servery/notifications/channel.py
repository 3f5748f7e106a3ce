"""A way to a place that wants to be told."""

from typing import Protocol

import msgspec


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one place. ``url`` and ``secret`` are a webhook's, ``email`` an address."""

    event_id: str
    delivery_id: str
    account: str
    kind: str
    payload: bytes
    url: str = ""
    secret: str = ""
    email: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What came of an attempt, in a few words. ``is_final``: trying again cannot help."""

    delivered: bool
    words: str
    is_final: bool = False


class Channel(Protocol):
    """Delivers; takes a bounded time, and raises nothing that the world is to blame for."""

    async def deliver(self, parcel: Parcel) -> Outcome: ...
