"""What a replica runs: an engine that the platform starts, or one that runs already."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from servery.catalog.weights import Weights
from servery.core.engine_family import EngineFamily

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
KvTokens = Annotated[int, Meta(ge=1, le=1_000_000_000)]
EngineUrl = Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*[^\s?#/])?$")]


class EngineKind(StrEnum):
    """Who runs an engine: the platform itself, or somebody else."""

    EMBEDDED = "embedded"
    URL = "url"


class EmbeddedEngine(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="embedded"
):
    """llama.cpp servers that the platform starts by itself, as child processes on loopback.

    Each replica holds ``slots`` conversations of ``context_length`` tokens each in its prompt cache, and computes
    with ``threads`` threads. ``embeddings`` lets it answer embedding calls.
    """

    model: Weights
    slots: Annotated[int, Meta(ge=1, le=256)] = 8
    context_length: Count = 4096
    threads: Annotated[int, Meta(ge=1, le=1024)] = 1
    embeddings: bool = False

    @property
    def family(self) -> EngineFamily:
        return EngineFamily.LLAMA_CPP


class UrlEngine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="url"):
    """Engines that run already, one replica for each URL.

    ``urls`` are bases without a final slash: ``/v1/chat/completions`` and its like are appended. ``served_model`` is
    the model's name there; ``api_key_env`` names the environment variable that holds the engines' API key. ``slots``
    is for llama.cpp: how many conversations each engine's prompt cache holds. Told of them, the gateway owns them and
    keeps tenants apart. ``concurrency`` and ``kv_tokens`` are each engine's, where they are not the pool's.
    """

    family: EngineFamily
    urls: Annotated[tuple[EngineUrl, ...], Meta(min_length=1)]
    served_model: str
    api_key_env: Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    slots: Annotated[int, Meta(ge=1, le=4096)] | None = None
    concurrency: Count | None = None
    kv_tokens: KvTokens | None = None


Engine = EmbeddedEngine | UrlEngine
