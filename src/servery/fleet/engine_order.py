"""What the platform and an embedded engine's process tell each other at the start."""

import msgspec


class EngineOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve, and how. Exactly one of ``model_file`` and ``hugging_face`` is set."""

    name: str
    api_key: str
    slots: int
    context_length: int
    threads: int
    embeddings: bool
    model_file: str | None = None
    hugging_face: str | None = None


class EngineReady(msgspec.Struct, frozen=True):
    """``url`` is the engine's base URL, such as ``http://127.0.0.1:41234``."""

    url: str
