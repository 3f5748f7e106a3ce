"""Where in an engine's cache a prompt belongs."""

import msgspec


class CachePlace(msgspec.Struct, frozen=True):
    """Where in the engine's prompt cache a request belongs: a slot, or a salt (any text) that keeps tenants apart."""

    slot: int | None = None
    salt: str | None = None
