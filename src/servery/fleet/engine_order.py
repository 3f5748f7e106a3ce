"""What the platform and an embedded engine's process tell each other at the start."""

import msgspec


class EngineOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve, and how; ``model_file`` is the path of a GGUF file."""

    name: str
    model_file: str
    api_key: str
    slots: int
    context_length: int
    threads: int
    embeddings: bool


class EngineReady(msgspec.Struct, frozen=True):
    """``url`` is the engine's base URL, such as ``http://127.0.0.1:41234``."""

    url: str
