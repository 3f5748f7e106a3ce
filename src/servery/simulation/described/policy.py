"""A policy by name: who decides which replica, and who decides what waits."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class Routing(StrEnum):
    """``servery`` is the platform's own; the others are explained where they are made."""

    SERVERY = "servery"
    ROUND_ROBIN = "round_robin"
    LEAST_REQUESTS = "least_requests"
    PREFIX_HASH = "prefix_hash"
    CACHE_AWARE = "cache_aware"
    ORACLE = "oracle"


class Admission(StrEnum):
    """``servery`` is the platform's own queue; ``fifo`` one line for all, in order of arrival, as long as the pool's
    ``queue``; ``none`` sends everything on at once."""

    SERVERY = "servery"
    FIFO = "fifo"
    NONE = "none"


class CacheAware(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As SGLang's router publishes them. Requests go to the replica with the longest common prefix where that is more
    than ``cache_threshold`` of the prompt, else to the one whose tree is smallest; when the replicas with most and
    least requests differ by more than both thresholds, to the one with least. A tree is cut to ``tree_tokens`` every
    ``cut_every_s``."""

    cache_threshold: Annotated[float, Meta(ge=0, le=1)] = 0.3
    balance_abs_threshold: Annotated[int, Meta(ge=0)] = 64
    balance_rel_threshold: Annotated[float, Meta(ge=0)] = 1.5
    tree_tokens: Annotated[int, Meta(ge=1)] = 4_194_304
    cut_every_s: Annotated[float, Meta(ge=0)] = 120.0


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``limits``: whether accounts' limits are enforced. ``prefix_blocks`` is for ``prefix_hash``: how many of a
    prompt's blocks are hashed."""

    name: str
    routing: Routing = Routing.SERVERY
    admission: Admission = Admission.SERVERY
    limits: bool = True
    prefix_blocks: Annotated[int, Meta(ge=1)] = 2
    cache_aware: CacheAware = CacheAware()


def packaged_policies() -> dict[str, Policy]:
    """Those that need not be described: each way to route, with all else as the platform does it; and the platform's
    own routing behind one plain queue."""
    policies = {routing.value: Policy(name=routing.value, routing=routing) for routing in Routing}
    return {**policies, "fifo": Policy(name="fifo", admission=Admission.FIFO)}
