"""Who decides what waits, and what is refused."""

from typing import Protocol

from servery.core.serving_path import ServingClass
from servery.core.usage import Usage
from servery.fleet.replica import Replica
from servery.limits.estimated import Estimate
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request


class Visitor(Protocol):
    """A request at a door. ``tokens`` is what it is expected to hold in an engine's memory at its end; ``frames``,
    ``is_held_up`` and ``generated_tokens`` are its stream's, as speed control counts them."""

    @property
    def request(self) -> Request: ...

    @property
    def serving_class(self) -> ServingClass: ...

    @property
    def estimate(self) -> Estimate: ...

    @property
    def tokens(self) -> float: ...

    @property
    def frames(self) -> int: ...

    @property
    def is_held_up(self) -> bool: ...

    @property
    def generated_tokens(self) -> int | None: ...

    def admitted(self) -> None:
        """Go on to a machine."""
        ...

    def refused(self, ending: Ending, retry_after_s: float) -> None:
        """A 503. The door has forgotten the visitor."""
        ...

    def called_back(self) -> None:
        """Leave the machine, which has told nothing yet, and wait again; the door has put the visitor back in line."""
        ...


class Door(Protocol):
    """The queue in front of one pool."""

    @property
    def waiting(self) -> int: ...

    def arrive(self, visitor: Visitor) -> None:
        """Admits, refuses or keeps ``visitor``, at once or later."""
        ...

    def first_token(self, visitor: Visitor) -> None:
        """An admitted visitor is being answered."""
        ...

    def seated(self, visitor: Visitor, replica: Replica) -> None:
        """An admitted visitor goes to ``replica``."""
        ...

    def again(self, visitor: Visitor) -> None:
        """An admitted visitor has given its share up and needs another, at its old place in line."""
        ...

    def leave(self, visitor: Visitor, usage: Usage | None) -> None:
        """An admitted visitor is done; ``usage`` where it was answered whole."""
        ...
