"""Makes the described faults happen."""

from collections.abc import Iterable, Mapping
from typing import assert_never

from servery.simulation.agenda import Agenda
from servery.simulation.described.faults import ClockJumps, Dies, Fault, LosesCache, Slows, StaleMetrics
from servery.simulation.simulated_pool import Machine, SimulatedPool


class Breakage:
    """Of all machines of a run."""

    def __init__(self, agenda: Agenda, pools: Mapping[str, SimulatedPool]) -> None:
        self._agenda = agenda
        self._machines = {name: machine for pool in pools.values() for name, machine in pool.by_name.items()}

    def plan(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self._plan_one(fault)

    def _plan_one(self, fault: Fault) -> None:
        agenda = self._agenda
        if isinstance(fault, ClockJumps):
            agenda.at(fault.at_s, lambda: self._jump(fault.by_s))
            return
        machine = self._machines[fault.replica]
        match fault:
            case Dies():
                agenda.at(fault.at_s, lambda: _die(machine))
                if fault.noticed_after_s < fault.for_s:
                    agenda.at(fault.at_s + fault.noticed_after_s, lambda: machine.replica.down("died"))
                agenda.at(fault.at_s + fault.for_s, lambda: _revive(machine))
            case Slows():
                agenda.at(fault.at_s, lambda: machine.engine.slow(fault.factor))
                agenda.at(fault.at_s + fault.for_s, lambda: machine.engine.slow(1.0))
            case LosesCache():
                agenda.at(fault.at_s, machine.engine.cache.clear)
            case StaleMetrics():
                agenda.at(fault.at_s, lambda: _mute(machine, mute=True))
                agenda.at(fault.at_s + fault.for_s, lambda: _mute(machine, mute=False))
            case _:
                assert_never(fault)

    def _jump(self, by_s: float) -> None:
        self._agenda.clock.wall_ahead_s += by_s


def _die(machine: Machine) -> None:
    machine.alive = False
    machine.engine.die()


def _revive(machine: Machine) -> None:
    machine.alive = True
    machine.replica.ready(is_fresh=True)


def _mute(machine: Machine, *, mute: bool) -> None:
    machine.mute = mute
