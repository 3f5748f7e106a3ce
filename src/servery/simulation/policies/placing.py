"""Who decides where a request goes."""

from typing import Protocol

from servery.core.usage import Usage
from servery.simulation.policies.door import Visitor
from servery.simulation.simulated_pool import Machine
from servery.simulation.traces.request import Request


class Share(Protocol):
    """A request's share of a replica, while it is there. ``predicted_cached_tokens`` is None where nothing is
    predicted."""

    @property
    def machine(self) -> Machine: ...

    @property
    def predicted_cached_tokens(self) -> float | None: ...

    def first_token(self, usage: Usage) -> None:
        """The prompt is computed; ``usage`` tells what of it was cached."""
        ...

    def refused(self) -> None:
        """The machine is dead, or died; ``over`` follows."""
        ...

    def over(self, usage: Usage | None) -> None:
        """Once, when the request is not there any more; None when the engine told nothing."""
        ...


class Placing(Protocol):
    """Chooses among the machines of one pool."""

    def forecast(self, request: Request) -> float:
        """How many tokens of the prompt are probably cached somewhere; 0 for who does not know."""
        ...

    def place(self, visitor: Visitor, *, avoid: frozenset[str]) -> Share | None:
        """A share of some machine, taken at once; None when none can be asked. Replicas named in ``avoid`` are taken
        only when there is no other."""
        ...
