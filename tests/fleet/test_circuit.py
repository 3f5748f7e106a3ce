"""When a replica is asked, after some of its requests got no answer."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from servery.core.clock import ManualClock
from servery.core.errors import EngineBroke, EngineTimeout, EngineUnavailable, Overloaded, ServeryError
from servery.fleet.circuit import Circuit, CircuitState, Trial
from servery.fleet.circuit_limits import CircuitLimits

LIMITS = CircuitLimits(failures_to_open=3, window_s=10.0, cool_down_s=5.0)


@contextmanager
def trial_of(circuit: Circuit) -> Iterator[Trial]:
    """One request: no answer is what fails it."""
    trial = circuit.begin()
    try:
        yield trial
    except (EngineUnavailable, EngineTimeout):
        trial.failed()
        raise
    finally:
        trial.end()


class Watched:
    """A circuit, and what it told of its changes."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.changes: list[CircuitState] = []
        self.circuit = Circuit(LIMITS, self.clock, on_change=lambda: self.changes.append(self.circuit.state))

    def fail(self, error: ServeryError | None = None, *, answered: bool = False) -> None:
        with suppress(ServeryError), trial_of(self.circuit) as trial:
            if answered:
                trial.answered()
            raise error or EngineUnavailable("gone")

    def succeed(self) -> None:
        with trial_of(self.circuit) as trial:
            trial.answered()

    def opened(self) -> "Watched":
        for _ in range(LIMITS.failures_to_open):
            self.fail()
        return self


def test_it_opens_after_failures_in_a_row() -> None:
    """Not one earlier; whoever listens is told once."""
    watched = Watched()
    watched.fail()
    watched.fail(EngineTimeout("slow"))
    assert watched.circuit.allows
    assert watched.changes == []
    watched.fail()
    assert watched.circuit.state is CircuitState.OPEN
    assert not watched.circuit.allows
    assert watched.changes == [CircuitState.OPEN]


def test_an_answer_between_starts_the_count_anew() -> None:
    """Failures must be in a row."""
    watched = Watched()
    for _ in range(5):
        watched.fail()
        watched.fail()
        watched.succeed()
    assert watched.circuit.state is CircuitState.CLOSED


def test_failures_far_apart_do_not_add_up() -> None:
    """A failure now and then is no reason."""
    watched = Watched()
    for _ in range(5):
        watched.fail()
        watched.clock.advance(LIMITS.window_s + 1)
    assert watched.circuit.state is CircuitState.CLOSED


@pytest.mark.parametrize("error", [EngineUnavailable("status 500"), EngineBroke("cut"), Overloaded("full")])
def test_an_engine_that_answers_is_alive(error: ServeryError) -> None:
    """Whatever it answers: so no request can be made to close it for others."""
    watched = Watched()
    for _ in range(10):
        watched.fail(error, answered=True)
    assert watched.circuit.state is CircuitState.CLOSED


def test_after_the_cool_down_one_request_is_the_trial() -> None:
    """Others wait for how it goes."""
    watched = Watched().opened()
    watched.clock.advance(LIMITS.cool_down_s - 0.1)
    assert not watched.circuit.allows
    watched.clock.advance(0.1)
    assert watched.circuit.state is CircuitState.HALF_OPEN
    assert watched.circuit.allows
    with trial_of(watched.circuit) as trial:
        assert not watched.circuit.allows
        trial.answered()
        assert watched.circuit.state is CircuitState.CLOSED
        assert watched.circuit.allows
    assert watched.changes == [CircuitState.OPEN, CircuitState.CLOSED]


def test_a_failed_trial_opens_it_again() -> None:
    """For another cool-down; one failure is enough then."""
    watched = Watched().opened()
    for _ in range(3):
        watched.clock.advance(LIMITS.cool_down_s)
        assert watched.circuit.allows
        watched.fail()
        assert watched.circuit.state is CircuitState.OPEN


def test_a_trial_that_was_given_up_proves_nothing() -> None:
    """The next request is the trial."""
    watched = Watched().opened()
    watched.clock.advance(LIMITS.cool_down_s)
    with trial_of(watched.circuit):
        assert not watched.circuit.allows
    assert watched.circuit.state is CircuitState.HALF_OPEN
    assert watched.circuit.allows


def test_requests_from_before_say_nothing_bad_and_only_good() -> None:
    """Their failures come late and do not put off the trial; an answer to one of them closes the circuit."""
    watched = Watched()
    with suppress(EngineUnavailable), trial_of(watched.circuit):
        watched.opened()
        watched.clock.advance(LIMITS.cool_down_s - 1)
        raise EngineUnavailable("late")
    watched.clock.advance(1)
    assert watched.circuit.state is CircuitState.HALF_OPEN
    with trial_of(watched.circuit) as before:
        watched.fail()
        before.answered()
    assert watched.circuit.state is CircuitState.CLOSED


def test_a_fresh_engine_starts_with_a_clean_slate() -> None:
    """Nothing that its predecessor did counts."""
    watched = Watched().opened()
    watched.circuit.reset()
    watched.fail()
    watched.fail()
    assert watched.circuit.state is CircuitState.CLOSED


class AnyUse(RuleBasedStateMachine):
    """Requests that begin, answer, fail and are given up in any order, while time goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.circuit = Circuit(LIMITS, self.clock, on_change=lambda: None)
        self.running: list[Trial] = []

    @precondition(lambda self: self.circuit.allows)
    @rule()
    def begin(self) -> None:
        self.running.append(self.circuit.begin())

    @precondition(lambda self: self.running)
    @rule()
    def answer(self) -> None:
        trial = self.running[0]
        is_news = not trial.has_answer
        trial.answered()
        assert self.circuit.state is CircuitState.CLOSED or not is_news

    @precondition(lambda self: self.running)
    @rule()
    def fail(self) -> None:
        trial = self.running.pop(0)
        trial.failed()
        trial.end()

    @precondition(lambda self: self.running)
    @rule()
    def give_up(self) -> None:
        self.running.pop().end()

    @rule()
    def wait(self) -> None:
        self.clock.advance(2.0)

    @invariant()
    def it_never_stays_shut(self) -> None:
        """With nothing running, a cool-down later it may be asked."""
        if not self.running:
            self.clock.advance(LIMITS.cool_down_s)
            assert self.circuit.allows


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
