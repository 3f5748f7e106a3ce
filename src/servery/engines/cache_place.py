"""Where in an engine's cache a prompt belongs."""

from servery.core.acyclic import acyclic
from servery.core.value import Value


@acyclic
class CachePlace(Value):
    """Where in the engine's prompt cache a request belongs: a slot, or a salt (any text) that keeps tenants apart.
    ``is_emptied``: nothing that lies in the slot is gone on with, and nothing of it is left once the request has begun.
    """

    FIELDS = ("slot", "salt", "is_emptied")
    __slots__ = FIELDS

    def __init__(self, slot: int | None = None, salt: str | None = None, *, is_emptied: bool = False) -> None:
        self.slot = slot
        self.salt = salt
        self.is_emptied = is_emptied
