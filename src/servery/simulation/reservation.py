"""What a request holds of its account's limits."""

from typing import Protocol

from servery.core.usage import Usage
from servery.limits.estimated import Estimate
from servery.simulation.traces.request import Request


class Reservation(Protocol):
    """``refused_for_s`` is None where it was granted, else when a retry may succeed; then nothing is held."""

    @property
    def refused_for_s(self) -> float | None: ...

    def end(self, usage: Usage | None) -> None:
        """What was really used; None where nothing was served, which gives all back."""
        ...


class Reservations(Protocol):
    """The limits of all accounts."""

    def reserve(self, request: Request, estimate: Estimate) -> Reservation: ...


class Unlimited:
    """Limits that nobody has, and what is held of them."""

    refused_for_s: float | None = None

    def reserve(self, request: Request, estimate: Estimate) -> "Unlimited":
        return self

    def end(self, usage: Usage | None) -> None:
        """Nothing was held."""
