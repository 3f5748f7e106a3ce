"""One run: a trace against a fleet under a policy, from its first request until nothing is in flight."""

from random import Random

from servery.core.misconfigured import Misconfigured
from servery.core.serving_path import ServingPath
from servery.core.work_weights import WorkWeights
from servery.limits.estimate import Estimator
from servery.serving.retry import RetryBudget
from servery.simulation.account_reservations import AccountReservations
from servery.simulation.agenda import Agenda
from servery.simulation.batch_feed import BatchFeed
from servery.simulation.breakage import Breakage
from servery.simulation.clients import Clients, Retrying
from servery.simulation.described.fleet import DescribedFleet
from servery.simulation.described.policy import Policy
from servery.simulation.desk import Desk
from servery.simulation.policies.made import door_of, placing_of
from servery.simulation.reservation import Reservations, Unlimited
from servery.simulation.simulated_pool import SimulatedPool
from servery.simulation.tally import Tally
from servery.simulation.traces.request import Request, Trace
from servery.simulation.visit import Visit

_BATCH_CLIENTS = Clients(retrying=Retrying.HONESTLY, most_retries=10_000)
"""A job tries its rows again after as long as it is told: it has hours."""


class Simulation:
    """``clients`` say what becomes of refusals. Equal arguments and seeds give equal runs, to the last digit."""

    def __init__(self, fleet: DescribedFleet, policy: Policy, trace: Trace, *, clients: Clients, seed: int) -> None:
        self.tally = Tally()
        self._trace = trace
        self._agenda = Agenda()
        self.pools = {
            name: SimulatedPool(described, self._agenda, block_tokens=trace.block_tokens)
            for name, described in fleet.pools.items()
        }
        random = Random(f"run {seed}")  # noqa: S311 - no secret hangs on a simulation
        targets = fleet.speed_targets()
        doors = {
            name: door_of(
                policy,
                pool,
                self._agenda,
                numbers=fleet.admission,
                weights=_weights(fleet, name),
                target=targets.get(name),
            )
            for name, pool in self.pools.items()
        }
        placings = {
            name: placing_of(policy, pool, self._agenda, block_tokens=trace.block_tokens)
            for name, pool in self.pools.items()
        }
        self._reservations = _reservations(fleet, policy, self._agenda, random)
        self._doors = doors
        batch = fleet.paths.get(ServingPath.BATCH)
        self._feed = BatchFeed(at_once=batch.rows_at_once if batch else 1, send=lambda row: self._call(row, 1))
        estimator, retry_budget = Estimator(), RetryBudget()
        self._desks = {
            path.name: Desk(
                agenda=self._agenda,
                clients=_BATCH_CLIENTS if path is batch else clients,
                random=random,
                tally=self.tally,
                estimator=estimator,
                retry_budget=retry_budget,
                price=path.price.price(),
                reservations=Unlimited() if path is batch else self._reservations,
                door=doors[path.pool],
                placing=placings[path.pool],
                again=self._call,
                ended=self._feed.over if path is batch else _nothing_more,
            )
            for path in fleet.paths.values()
        }
        Breakage(self._agenda, self.pools).plan(fleet.faults)

    def run(self, *, counted_from_s: float = 0.0, fresh_s: float = 0.0) -> None:
        """What comes before ``counted_from_s`` is served and not counted; it should be over by then. For ``fresh_s``
        from then on the fleet is being filled (``Tally``). Raises Misconfigured for a trace that cannot be understood,
        or asks for a path that the fleet has not."""
        agenda, tally = self._agenda, self.tally
        for request in self._trace.requests():
            agenda.run_until(request.arrives_s)
            if tally.last_arrival_s < counted_from_s <= request.arrives_s:
                tally.forget()
            tally.is_fresh = request.arrives_s < counted_from_s + fresh_s
            if request.path not in self._desks:
                raise Misconfigured(f"the trace asks for {request.path.value}, and the fleet has no such path")
            tally.offered(request)
            if request.path is ServingPath.BATCH:
                self._feed.add(request)
            else:
                self._call(request, 1)
            tally.most_waiting = max(tally.most_waiting, *(door.waiting for door in self._doors.values()))
        tally.is_over, tally.fresh_s = True, fresh_s
        for pool in self.pools.values():
            pool.is_open = False
        agenda.run_out()

    def check_integrity(self) -> None:
        """What must hold after a run: nothing is in flight, waits, or is unaccounted for."""
        for pool in self.pools.values():
            for machine in pool.machines:
                machine.engine.check_integrity()
                machine.replica.occupancy.check_integrity()
                assert machine.replica.occupancy.sequences == 0, "nothing is in flight"
        if isinstance(self._reservations, AccountReservations):
            assert self._reservations.open_grants == 0, "nothing is reserved"
        for door in self._doors.values():
            assert door.waiting == 0, "nobody waits"
        assert self._feed.is_empty, "no row is forgotten"
        for group in self.tally.groups.values():
            assert group.requests == group.endings.total(), "each request ended once"

    def _call(self, request: Request, tries: int) -> None:
        Visit(request, self._desks[request.path], tries=tries).arrive()


def _nothing_more() -> None:
    """Nobody waits for the end of a single call."""


def _reservations(fleet: DescribedFleet, policy: Policy, agenda: Agenda, random: Random) -> Reservations:
    if fleet.limits is None or not policy.limits:
        return Unlimited()
    return AccountReservations(fleet.limits, agenda.clock, random)


def _weights(fleet: DescribedFleet, pool: str) -> WorkWeights:
    """Those of the first path that the pool serves, which is Standard where it does."""
    paths = [fleet.paths[path] for path in ServingPath if path in fleet.paths]
    served = next((path for path in paths if path.pool == pool), None)
    return WorkWeights() if served is None else WorkWeights.of(served.price.price())
