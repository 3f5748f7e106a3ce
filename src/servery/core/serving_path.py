"""The closed sets by which a request is served, priced and queued."""

from enum import IntEnum, StrEnum


class ServingPath(StrEnum):
    """How a request is served; each path of a model is a row of its price list. Batch is no path that a request can
    ask for: it is how the requests of a batch job are charged."""

    STANDARD = "standard"
    PRIORITY = "priority"
    FAST = "fast"
    BATCH = "batch"


class ServingClass(IntEnum):
    """The order in a pool's queue: a smaller number goes first."""

    PRIORITY = 0
    STANDARD = 1
    BATCH = 2


class Endpoint(StrEnum):
    """What is asked of an engine, whatever the client's dialect."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"


class Outcome(StrEnum):
    """How a request that reached an engine ended; decides what is charged (money.md, rule 5)."""

    COMPLETED = "completed"
    CLIENT_GONE = "client_gone"
    ENGINE_BROKE = "engine_broke"
    PLATFORM_ENDED = "platform_ended"
