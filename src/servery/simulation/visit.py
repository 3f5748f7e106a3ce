"""One call of a client at the gateway, from its arrival to its end: what the request path is to the platform.

arrival ─ limits ─ door ─ placing ─ engine ─ usage ─ charge
   │        │        │       │         │
   │       429      503     503       502, or once more elsewhere if it came before the first token
   └── the client tries again, or does not
"""

from typing import assert_never

from servery.core.serving_path import ServingClass, ServingPath
from servery.core.usage import Usage
from servery.fleet.circuit import Trial
from servery.limits.estimated import Estimate
from servery.serving.retry import ATTEMPTS
from servery.simulation.desk import Desk
from servery.simulation.engines.engine import SimulatedEngine
from servery.simulation.engines.job import Job
from servery.simulation.policies.placing import Share
from servery.simulation.reservation import Reservation
from servery.simulation.tally import Ending
from servery.simulation.traces.request import Request


class Visit(Job):
    """``desk`` is what it is served with. ``tries`` counts the client's calls for the same request, from 1. It counts
    its own stream too (``speed_control.Counted``): a frame for each token, and no client reads too slowly."""

    __slots__ = (
        "_arrived_s",
        "_attempts",
        "_desk",
        "_engine",
        "_first_s",
        "_has_ended",
        "_reservation",
        "_share",
        "_trial",
        "_tried",
        "estimate",
        "is_held_up",
        "ticket",
        "tries",
    )

    def __init__(self, request: Request, desk: Desk, *, tries: int = 1) -> None:
        super().__init__(request, _class_of(request.path))
        self.tries = tries
        self.ticket: object = None
        self.estimate = Estimate(0, 0, 0)
        self.is_held_up = False
        self._desk = desk
        self._engine: SimulatedEngine | None = None
        self._arrived_s = desk.clock.now_s
        self._attempts = 0
        self._first_s: float | None = None
        self._has_ended = False
        self._reservation: Reservation | None = None
        self._share: Share | None = None
        self._tried: frozenset[str] = frozenset()
        self._trial: Trial | None = None

    def arrive(self) -> None:
        """Through the limits to the door."""
        desk = self._desk
        self.estimate = desk.estimate(self.request)
        self._reservation = desk.reservations.reserve(self.request, self.estimate)
        if self._reservation.refused_for_s is not None:
            retry_after_s, self._reservation = self._reservation.refused_for_s, None
            self._refuse(Ending.LIMITED, retry_after_s)
            return
        desk.retry_budget.earn()
        desk.door.arrive(self)

    @property
    def tokens(self) -> float:
        return self.estimate.prompt_tokens + self.estimate.generated_tokens

    @property
    def frames(self) -> int:
        assert self._engine is not None, "only what was sent is counted"
        return self._engine.generated_tokens(self)

    @property
    def generated_tokens(self) -> int | None:
        """As the engine tells at the end, None before."""
        return self.request.generated_tokens if self._has_ended else None

    # What the door says

    def admitted(self) -> None:
        desk = self._desk
        self._attempts += 1
        share = desk.placing.place(self, avoid=self._tried)
        if share is None:
            desk.door.leave(self, None)
            self.refused(Ending.SHED_CAPACITY, 1.0)
            return
        self._send(share)

    def refused(self, ending: Ending, retry_after_s: float) -> None:
        self._release(None)
        self._refuse(ending, retry_after_s)

    def called_back(self) -> None:
        assert self._share is not None, "only what was sent is called back"
        is_batch = self.serving_class is ServingClass.BATCH
        assert self._first_s is None or is_batch, "and only what has told nothing yet"
        self._first_s = None
        self._share.machine.engine.abort(self)
        self._give_back(None)
        self._attempts -= 1
        self._desk.tally.called_back += 1

    # What the engine says

    def first_token(self) -> None:
        share, desk = self._share, self._desk
        assert share is not None, "an engine has a share"
        self._first_s = desk.clock.now_s - self._arrived_s
        share.first_token(self._usage(generated_tokens=1))
        assert self._trial is not None, "what was sent is on trial"
        self._trial.answered()
        if share.predicted_cached_tokens is not None:
            desk.tally.predicted(
                self.request, cached_tokens=share.predicted_cached_tokens, reported_tokens=self.cached_tokens
            )
        desk.door.first_token(self)

    def ended(self) -> None:
        self._has_ended = True
        usage = self._usage(generated_tokens=self.request.generated_tokens)
        self._give_back(usage)
        self._desk.door.leave(self, usage)
        self._release(usage)
        assert self._first_s is not None, "what ended began"
        self._desk.complete(self.request, usage, first_s=self._first_s, per_token_s=self._per_token_s())

    def broke(self) -> None:
        """Once more elsewhere, where that is allowed; else the client is told."""
        desk = self._desk
        assert self._share is not None, "only what was sent breaks"
        assert self._trial is not None, "and it is on trial"
        self._trial.failed()
        self._tried |= {self._share.machine.replica.name}
        self._share.refused()
        self._give_back(None)
        if self._first_s is None and self._attempts < ATTEMPTS and desk.retry_budget.spend():
            desk.tally.attempts_elsewhere += 1
            desk.door.again(self)
            return
        desk.door.leave(self, None)
        self.refused(Ending.ENGINE_BROKE, desk.clients.round_trip_s)

    def _send(self, share: Share) -> None:
        machine = share.machine
        self._share = share
        self._engine = machine.engine
        self._desk.door.seated(self, machine.replica)
        self._trial = machine.replica.circuit.begin()
        if machine.alive:
            machine.engine.submit(self)
        else:
            self._desk.agenda.after(self._desk.clients.round_trip_s, lambda: self._broke_at(share))

    def _broke_at(self, share: Share) -> None:
        if self._share is share:  # else it was called back meanwhile
            self.broke()

    def _give_back(self, usage: Usage | None) -> None:
        assert self._share is not None, "it is left once"
        assert self._trial is not None, "and was on trial"
        share, self._share = self._share, None
        trial, self._trial = self._trial, None
        trial.end()
        share.over(usage)

    def _release(self, usage: Usage | None) -> None:
        if self._reservation is not None:
            self._reservation.end(usage)
            self._reservation = None

    def _refuse(self, ending: Ending, retry_after_s: float) -> None:
        self._desk.refuse(self.request, ending, retry_after_s=retry_after_s, tries=self.tries)

    def _usage(self, *, generated_tokens: int) -> Usage:
        return Usage(self.request.prompt_tokens, self.cached_tokens, generated_tokens)

    def _per_token_s(self) -> float | None:
        """Between two tokens of a whole answer; None where there was only one."""
        further = self.request.generated_tokens - 1
        if further == 0 or self._first_s is None:
            return None
        return (self._desk.clock.now_s - self._arrived_s - self._first_s) / further


def _class_of(path: ServingPath) -> ServingClass:
    match path:
        case ServingPath.PRIORITY:
            return ServingClass.PRIORITY
        case ServingPath.BATCH:
            return ServingClass.BATCH
        case ServingPath.STANDARD | ServingPath.FAST:
            return ServingClass.STANDARD
        case _:
            assert_never(path)
