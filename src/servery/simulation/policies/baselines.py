"""Ways to choose a replica that others use, for comparison."""

from collections.abc import Sequence
from typing import Protocol

from servery.simulation.policies.door import Visitor
from servery.simulation.policies.simple_share import SimpleShare
from servery.simulation.simulated_pool import Machine, SimulatedPool
from servery.simulation.traces.request import Request


class Choice(Protocol):
    """One such way."""

    def choose(self, able: Sequence[Machine], request: Request) -> Machine:
        """One of ``able``, of which there is at least one."""
        ...


class ChoicePlacing:
    """Makes a way to choose a way to place."""

    def __init__(self, pool: SimulatedPool, choice: Choice) -> None:
        self._machines = pool.machines
        self._choice = choice

    def forecast(self, request: Request) -> float:
        return 0.0

    def place(self, visitor: Visitor, *, avoid: frozenset[str]) -> SimpleShare | None:
        request, tokens = visitor.request, visitor.tokens
        able = [one for one in self._machines if one.replica.has_room_for(tokens)]
        if avoid:
            able = [one for one in able if one.replica.name not in avoid] or able
        return SimpleShare(self._choice.choose(able, request), tokens) if able else None


class RoundRobin:
    """One after the other."""

    def __init__(self) -> None:
        self._next = 0

    def choose(self, able: Sequence[Machine], request: Request) -> Machine:
        chosen = able[self._next % len(able)]
        self._next += 1
        return chosen


class LeastRequests:
    """Where fewest are in flight; of equals the next in turn."""

    def __init__(self) -> None:
        self._next = 0

    def choose(self, able: Sequence[Machine], request: Request) -> Machine:
        self._next += 1
        start, count = self._next, len(able)
        return min((able[(start + step) % count] for step in range(count)), key=lambda one: one.replica.in_flight)


class PrefixHash:
    """By a hash of the prompt's first blocks: what begins alike meets."""

    def __init__(self, *, blocks: int) -> None:
        self._blocks = blocks

    def choose(self, able: Sequence[Machine], request: Request) -> Machine:
        return able[hash(request.blocks[: self._blocks]) % len(able)]
