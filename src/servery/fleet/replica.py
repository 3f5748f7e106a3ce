"""One running engine."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from servery.core.clock import Clock
from servery.engines.client import EngineClient
from servery.engines.load import EngineLoad
from servery.fleet.circuit import Circuit, CircuitLimits, CircuitState

_AFTER_COOL_DOWN_S = 0.05
"""The event loop's clock and the circuit's may differ by a little."""


class ReplicaState(StrEnum):
    """``draining`` finishes what it has and takes nothing new."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    DRAINING = "draining"


class Replica:
    """Its state, its door, and what this gateway has in flight there.

    ``incarnation`` grows with each start of the engine: whatever was known of its prompt cache before is void.
    ``load`` is what the engine itself tells of how busy it is, None before it did.
    """

    def __init__(self, *, name: str, concurrency: int, clock: Clock, on_change: Callable[[], None]) -> None:
        self.name = name
        self.concurrency = concurrency
        self.state = ReplicaState.STARTING
        self.incarnation = 0
        self.in_flight = 0
        self.restarts = 0
        self.reason = ""
        self.load: EngineLoad | None = None
        self.circuit = Circuit(CircuitLimits(), clock, on_change=self._circuit_changed)
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
        return self.is_ready and self.in_flight < self.concurrency and self.circuit.allows

    @property
    def capacity(self) -> int:
        """How many requests may be in flight here now: a trial alone where it is not known whether it answers."""
        if not self.is_ready:
            return 0
        match self.circuit.state:
            case CircuitState.CLOSED:
                return self.concurrency
            case CircuitState.HALF_OPEN:
                return 1
            case CircuitState.OPEN:
                return 0

    def up(self, client: EngineClient) -> None:
        """The engine answers at ``client``'s address; a client other than before means a fresh engine."""
        if client is not self._client:
            if self._client is not None:
                self._client.close()
            self._client = client
            self.incarnation += 1
            self.load = None
        self.circuit.reset()
        self._change(ReplicaState.READY, "")

    def down(self, reason: str) -> None:
        self._change(ReplicaState.DOWN, reason)

    def drain(self) -> None:
        self._change(ReplicaState.DRAINING, "shutting down")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _circuit_changed(self) -> None:
        self._on_change()
        if self.circuit.state is CircuitState.OPEN:
            wait_s = self.circuit.limits.cool_down_s + _AFTER_COOL_DOWN_S
            asyncio.get_running_loop().call_later(wait_s, self._on_change)

    def _change(self, state: ReplicaState, reason: str) -> None:
        self.state = state
        self.reason = reason
        self._on_change()
