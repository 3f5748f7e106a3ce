"""A pool whose replicas are the platform's own and whose engines are simulated."""

from servery.catalog.engine import UrlEngine
from servery.catalog.pool import Pool
from servery.core.engine_family import EngineFamily
from servery.engines.load import EngineLoad
from servery.fleet.occupancy import Gone
from servery.fleet.replica import Replica
from servery.fleet.replica_pool import ReplicaPool
from servery.simulation.agenda import Agenda
from servery.simulation.described.fleet import DescribedPool
from servery.simulation.engines.engine import SimulatedEngine


class Machine:
    """One replica and the engine behind it. ``alive`` is whether the engine answers; ``mute`` whether its metrics tell
    what they told last. ``number`` counts a pool's machines from 0."""

    __slots__ = ("alive", "engine", "mute", "number", "replica")

    def __init__(self, number: int, replica: Replica, engine: SimulatedEngine) -> None:
        self.number = number
        self.replica = replica
        self.engine = engine
        self.alive = True
        self.mute = False


class SimulatedPool:
    """``machines`` in the order of ``pool.replicas``. Their loads are reported for as long as ``is_open``."""

    def __init__(self, described: DescribedPool, agenda: Agenda, *, block_tokens: int) -> None:
        self.described = described
        self.is_open = True
        self._agenda = agenda
        self.pool = ReplicaPool(_spec(described), agenda.clock, call_later=agenda.after)
        self.machines = [
            Machine(number, replica, SimulatedEngine(described.engine, agenda, block_tokens=block_tokens))
            for number, replica in enumerate(self.pool.replicas)
        ]
        self.by_name = {machine.replica.name: machine for machine in self.machines}
        for machine in self.machines:
            machine.replica.ready(is_fresh=True)
        agenda.after(described.report_interval_s, self._report)

    def _report(self) -> None:
        """All at once: with hundreds of replicas, who tells a moment sooner is of no account."""
        if not self.is_open:
            return
        told = []
        for machine in self.machines:
            load = machine.replica.load if machine.mute else machine.engine.load()
            if machine.alive and load is not None:
                told.append((machine, load, machine.replica.occupancy.gone()))
        self._agenda.after(self.described.report_delay_s, lambda: self._arrived(told))
        self._agenda.after(self.described.report_interval_s, self._report)

    def _arrived(self, told: list[tuple[Machine, EngineLoad, Gone]]) -> None:
        for machine, load, gone in told:
            if machine.replica.is_ready:
                machine.replica.reported(load, gone)


def _spec(described: DescribedPool) -> Pool:
    """As a catalog would describe the pool; its addresses lead nowhere and are never asked."""
    return Pool(
        name=described.name,
        engine=UrlEngine(
            family=EngineFamily.VLLM,
            urls=tuple(f"http://simulated/{number}" for number in range(described.replicas)),
            served_model="simulated",
        ),
        concurrency=described.concurrency,
        queue=described.queue,
        kv_tokens=described.engine.kv_tokens,
    )
