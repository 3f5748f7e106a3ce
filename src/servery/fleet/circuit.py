"""Whether one replica is worth asking, judged by how the latest requests to it went. No probes of its own.

    CLOSED     asked freely. ``failures_to_open`` requests in a row that got no answer, none of them longer than
               ``window_s`` after the one before, make it OPEN.
    OPEN       not asked. After ``cool_down_s`` it is HALF_OPEN.
    HALF_OPEN  asked by one request at a time, the trial. An answer makes it CLOSED; none, OPEN again. A trial whose
               client leaves before either proves nothing: the next request is the trial.

An answer is the head of any HTTP response, whatever its status: an engine that refuses is alive, and a tenant whose
requests an engine answers with an error must not be able to close it for others. No answer is a connection that cannot
be made or is lost, or silence until the first byte is overdue. Health probes (``prober``) see what this does not: an
engine that answers and is ill. They take longer to see what this does.
"""

from collections.abc import Callable
from enum import StrEnum

from servery.core.clock import Clock
from servery.fleet.circuit_limits import CircuitLimits


class CircuitState(StrEnum):
    """See above."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Trial:
    """One request to the replica, from before it is sent until ``end``."""

    __slots__ = ("_circuit", "has_answer")

    def __init__(self, circuit: "Circuit") -> None:
        self.has_answer = False
        self._circuit = circuit

    def answered(self) -> None:
        """The engine began to answer. May be called again."""
        if not self.has_answer:
            self.has_answer = True
            self._circuit.answered()

    def failed(self) -> None:
        """The request came to nothing; that counts against the replica unless it had begun to answer."""
        if not self.has_answer:
            self._circuit.failed(self)

    def end(self) -> None:
        """The request is over, however it went."""
        self._circuit.ended(self)


class Circuit:
    """``on_change`` is called when it opens and when it closes; that it is half open shows with time alone."""

    def __init__(self, limits: CircuitLimits, clock: Clock, *, on_change: Callable[[], None]) -> None:
        self.limits = limits
        self._clock = clock
        self._on_change = on_change
        self._failures = 0
        self._failed_at_s = 0.0
        self._is_open = False
        self._trial: Trial | None = None

    @property
    def is_closed(self) -> bool:
        return not self._is_open

    @property
    def state(self) -> CircuitState:
        if not self._is_open:
            return CircuitState.CLOSED
        cooled_down = self._clock.monotonic_s() - self._failed_at_s >= self.limits.cool_down_s
        return CircuitState.HALF_OPEN if cooled_down else CircuitState.OPEN

    @property
    def allows(self) -> bool:
        """Whether another request may be sent now."""
        state = self.state
        return state is CircuitState.CLOSED or (state is CircuitState.HALF_OPEN and self._trial is None)

    def begin(self) -> Trial:
        """A request is about to be sent. Whoever calls this calls ``end`` once."""
        trial = Trial(self)
        if self._is_open and self._trial is None and self.state is CircuitState.HALF_OPEN:
            self._trial = trial
        return trial

    def reset(self) -> None:
        """A fresh engine: nothing is known against it."""
        self.answered()

    def answered(self) -> None:
        """``Trial.answered``."""
        was_open, self._is_open, self._failures = self._is_open, False, 0
        if was_open:
            self._on_change()

    def ended(self, trial: Trial) -> None:
        """``Trial.end``."""
        if self._trial is trial:
            self._trial = None

    def failed(self, trial: Trial) -> None:
        """``Trial.failed``."""
        if self._is_open and trial is not self._trial:
            return  # sent before it opened: that says nothing new, and must not put off the trial
        now_s = self._clock.monotonic_s()
        self._failures = self._failures + 1 if now_s - self._failed_at_s <= self.limits.window_s else 1
        self._failed_at_s = now_s
        if self._is_open or self._failures >= self.limits.failures_to_open:
            self._is_open = True
            self._on_change()
