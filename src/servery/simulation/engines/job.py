"""A request inside a simulated engine."""

from abc import ABC, abstractmethod
from enum import IntEnum

from servery.core.serving_path import ServingClass
from servery.simulation.traces.request import Request


class JobState(IntEnum):
    """How far an engine is with it."""

    WAITING = 0
    PREFILL = 1
    DECODING = 2
    OVER = 3


class Job(ABC):
    """What an engine does for a request, and who waits for it. ``cached_tokens`` is known from the first token on;
    ``begins_at`` is the engine's own: what every stream had emitted by then."""

    __slots__ = ("begins_at", "cached_tokens", "request", "serving_class", "state")

    def __init__(self, request: Request, serving_class: ServingClass) -> None:
        self.request = request
        self.serving_class = serving_class
        self.state = JobState.OVER
        self.cached_tokens = 0
        self.begins_at = 0.0

    @abstractmethod
    def first_token(self) -> None:
        """The prompt is computed."""

    @abstractmethod
    def ended(self) -> None:
        """The last token is there."""

    @abstractmethod
    def broke(self) -> None:
        """The engine died."""
