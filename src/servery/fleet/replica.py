"""One running engine."""

from collections.abc import Callable
from enum import StrEnum

from servery.engines.client import EngineClient


class ReplicaState(StrEnum):
    """``draining`` finishes what it has and takes nothing new."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    DRAINING = "draining"


class Replica:
    """Its state, its door, and what this gateway has in flight there.

    ``incarnation`` grows with each start of the engine: whatever was known of its prompt cache before is void.
    """

    def __init__(self, *, name: str, concurrency: int, on_change: Callable[[], None]) -> None:
        self.name = name
        self.concurrency = concurrency
        self.state = ReplicaState.STARTING
        self.incarnation = 0
        self.in_flight = 0
        self.restarts = 0
        self.reason = ""
        self._client: EngineClient | None = None
        self._on_change = on_change

    @property
    def client(self) -> EngineClient:
        assert self._client is not None, "only a replica that has been up is asked"
        return self._client

    @property
    def is_ready(self) -> bool:
        return self.state is ReplicaState.READY

    @property
    def has_room(self) -> bool:
        return self.is_ready and self.in_flight < self.concurrency

    def up(self, client: EngineClient) -> None:
        """The engine answers at ``client``'s address; a client other than before means a fresh engine."""
        if client is not self._client:
            if self._client is not None:
                self._client.close()
            self._client = client
            self.incarnation += 1
        self._change(ReplicaState.READY, "")

    def down(self, reason: str) -> None:
        self._change(ReplicaState.DOWN, reason)

    def drain(self) -> None:
        self._change(ReplicaState.DRAINING, "shutting down")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _change(self, state: ReplicaState, reason: str) -> None:
        self.state = state
        self.reason = reason
        self._on_change()
