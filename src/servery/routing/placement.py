"""Where a request goes in a replica's prompt cache."""

import msgspec


class Placement(msgspec.Struct, frozen=True):
    """``erase`` asks for the slot to be emptied first, because another owner's prompt lies there. An engine that shares
    blocks has no slots. ``cached`` of the prompt is believed to lie there, in the chain's unit."""

    slot: int | None = None
    erase: bool = False
    cached: float = 0.0
