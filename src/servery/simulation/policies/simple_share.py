"""The share that simple policies take: nothing is predicted, and nothing learned."""

from servery.core.usage import Usage
from servery.simulation.simulated_pool import Machine


class SimpleShare:
    """Counts in the replica's occupancy, as the platform's own does, so that admission sees the same."""

    __slots__ = ("_tokens", "machine", "predicted_cached_tokens")

    def __init__(self, machine: Machine, tokens: float) -> None:
        self.machine = machine
        self.predicted_cached_tokens: float | None = None
        self._tokens = tokens
        machine.replica.occupancy.enter(tokens)

    def first_token(self, usage: Usage) -> None:
        """Nothing is learned."""

    def refused(self) -> None:
        """Nothing is believed, so nothing is taken back."""

    def over(self, usage: Usage | None) -> None:
        self.machine.replica.occupancy.leave(self._tokens)
