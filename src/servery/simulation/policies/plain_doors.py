"""The two simplest doors, for comparison."""

from collections import deque

from servery.core.usage import Usage
from servery.fleet.replica import Replica
from servery.simulation.agenda import Agenda
from servery.simulation.policies.door import Visitor
from servery.simulation.simulated_pool import SimulatedPool
from servery.simulation.tally import Ending

_RETRY_AFTER_S = 1.0


class OpenDoor:
    """Everybody goes in at once; what must wait waits in an engine."""

    waiting = 0

    def arrive(self, visitor: Visitor) -> None:
        visitor.admitted()

    def first_token(self, visitor: Visitor) -> None:
        """Nothing hangs on it."""

    def seated(self, visitor: Visitor, replica: Replica) -> None:
        """Nothing hangs on it."""

    def again(self, visitor: Visitor) -> None:
        visitor.admitted()

    def leave(self, visitor: Visitor, usage: Usage | None) -> None:
        """Nothing hangs on it."""


class FifoDoor:
    """One line for all, in order of arrival, as long as the pool's ``queue``. As many requests are inside as the ready
    replicas take together. Who waited ``wait_limit_s`` is refused."""

    def __init__(self, pool: SimulatedPool, agenda: Agenda) -> None:
        self._pool = pool
        self._agenda = agenda
        self._line: deque[tuple[float, Visitor]] = deque()
        self._inside = 0
        pool.pool.listen(self._admit)

    @property
    def waiting(self) -> int:
        return len(self._line)

    def arrive(self, visitor: Visitor) -> None:
        if not self._line and self._inside < self._pool.pool.capacity:
            self._inside += 1
            visitor.admitted()
        elif len(self._line) >= self._pool.described.queue:
            visitor.refused(Ending.SHED_CAPACITY, _RETRY_AFTER_S)
        else:
            wait_limit_s = self._pool.described.wait_limit_s
            self._line.append((self._agenda.clock.now_s + wait_limit_s, visitor))
            self._agenda.after(wait_limit_s, self._expire)

    def first_token(self, visitor: Visitor) -> None:
        """Nothing hangs on it."""

    def seated(self, visitor: Visitor, replica: Replica) -> None:
        """Nothing hangs on it."""

    def again(self, visitor: Visitor) -> None:
        visitor.admitted()

    def leave(self, visitor: Visitor, usage: Usage | None) -> None:
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._line and self._inside < self._pool.pool.capacity:
            self._inside += 1
            self._line.popleft()[1].admitted()

    def _expire(self) -> None:
        while self._line and self._line[0][0] <= self._agenda.clock.now_s:
            self._line.popleft()[1].refused(Ending.EXPIRED, _RETRY_AFTER_S)
