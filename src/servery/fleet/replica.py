"""One running engine."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from servery.core.clock import Clock
from servery.core.errors import EngineAborted, EngineBroke, EngineTimeout, EngineUnavailable
from servery.engines.client import EngineClient
from servery.engines.load import EngineLoad
from servery.fleet.circuit import Circuit, CircuitState
from servery.fleet.circuit_limits import CircuitLimits
from servery.fleet.occupancy import Gone, Occupancy

_FAULTS = (EngineUnavailable.code, EngineTimeout.code, EngineBroke.code, EngineAborted.code)

_AFTER_COOL_DOWN_S: Final = 0.05
"""The event loop's clock and the circuit's may differ by a little."""

CallLater = Callable[[float, Callable[[], None]], object]
"""Calls the function after so many seconds."""


def on_running_loop(wait_s: float, function: Callable[[], None]) -> None:
    """The ``CallLater`` of everyday."""
    asyncio.get_running_loop().call_later(wait_s, function)


class ReplicaState(StrEnum):
    """``draining`` finishes what it has and takes nothing new."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    DRAINING = "draining"


_READY: Final = ReplicaState.READY
"""Asked for with each request; from its class a member comes a good deal slower."""


class Replica:
    """Its state, its door, and what it has in hand.

    ``slots`` are those of its prompt cache that are ours, None where it has none. ``starts_empty``: each incarnation is
    an engine that was started for us, and holds nobody's prompts yet.
    ``incarnation`` grows with each start of the engine: whatever was known of its prompt cache before is void.
    ``faults`` counts the requests that came to nothing there, or broke off, by the code of their error.
    ``load`` is what the engine itself tells of how busy it is, None before it did. Made and ``ready`` it does no I/O: a
    client is needed only by who asks the engine.
    """

    def __init__(
        self,
        *,
        name: str,
        slots: tuple[int, ...] | None,
        starts_empty: bool,
        occupancy: Occupancy,
        clock: Clock,
        on_change: Callable[[], None],
        call_later: CallLater = on_running_loop,
    ) -> None:
        self.name = name
        self.slots = slots
        self.starts_empty = starts_empty
        self.occupancy = occupancy
        self.state = ReplicaState.STARTING
        self.incarnation = 0
        self.restarts = 0
        self.faults = dict.fromkeys(_FAULTS, 0)
        self.reason = ""
        self.load: EngineLoad | None = None
        self.circuit = Circuit(CircuitLimits(), clock, on_change=self._circuit_changed)
        self._client: EngineClient | None = None
        self._on_change = on_change
        self._call_later = call_later

    @property
    def client(self) -> EngineClient:
        assert self._client is not None, "only a replica that has been up is asked"
        return self._client

    @property
    def is_ready(self) -> bool:
        return self.state is ReplicaState.READY

    @property
    def in_flight(self) -> int:
        """Requests of this gateway that are there now."""
        return self.occupancy.sequences - self.occupancy.held

    def has_room_for(self, tokens: float) -> bool:
        """Whether one more request, which will have ``tokens`` resident, may be sent there now: a trial alone where it
        is not known whether it answers."""
        if self.state is not _READY or not self.occupancy.has_room_for(tokens):
            return False
        circuit = self.circuit
        return circuit.is_closed or (circuit.allows and self.occupancy.held == 0)

    def takes(self, tokens: float, *, now_s: float, ahead_s: float) -> bool:
        """As ``has_room_for``; and what it has to compute by now should take it no longer than ``ahead_s``."""
        return self.has_room_for(tokens) and self.occupancy.late_s(now_s, ahead_s=ahead_s) == 0.0

    @property
    def capacity(self) -> int:
        """How many requests may be in flight here now, beside those that were sent before its circuit opened."""
        if not self.is_ready:
            return 0
        match self.circuit.state:
            case CircuitState.CLOSED:
                return self.occupancy.sequences_limit
            case CircuitState.HALF_OPEN:
                return 1
            case CircuitState.OPEN:
                return 0

    def up(self, client: EngineClient) -> None:
        """The engine answers at ``client``'s address; a client other than before means a fresh engine."""
        is_fresh = client is not self._client
        if is_fresh:
            if self._client is not None:
                self._client.close()
            self._client = client
        self.ready(is_fresh=is_fresh)

    def ready(self, *, is_fresh: bool) -> None:
        """It can serve. A fresh engine holds nothing in its prompt cache, and has reported nothing."""
        if is_fresh:
            self.incarnation += 1
            self.load = None
            self.occupancy.forget_report()
        self.circuit.reset()
        self._change(ReplicaState.READY, "")

    def reported(self, load: EngineLoad, asked: Gone) -> None:
        """What its engine told; ``asked`` is the occupancy's ``gone`` from before the engine was asked."""
        self.load = load
        self.occupancy.report(load, asked)
        self._on_change()

    def report_is_stale(self) -> None:
        """The engine's report could not be renewed for too long: it is still shown, and not believed any more."""
        if self.load is not None and not self.load.is_stale:
            self.load = msgspec.structs.replace(self.load, is_stale=True)
            self.occupancy.forget_report()
            self._on_change()

    def limit(self, sequences: int) -> None:
        """From now on so many requests may be in flight there; those that are there stay."""
        self.occupancy.sequences_limit = sequences
        self._on_change()

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
            self._call_later(wait_s, self._on_change)

    def _change(self, state: ReplicaState, reason: str) -> None:
        self.state = state
        self.reason = reason
        self._on_change()
