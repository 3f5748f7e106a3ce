"""Where in an engine's cache a prompt belongs."""

from servery.core.value import Value


class CachePlace(Value):
    """Where in the engine's prompt cache a request belongs: a slot, or a salt (any text) that keeps tenants apart."""

    FIELDS = ("slot", "salt")
    __slots__ = FIELDS

    def __init__(self, slot: int | None = None, salt: str | None = None) -> None:
        self.slot = slot
        self.salt = salt
