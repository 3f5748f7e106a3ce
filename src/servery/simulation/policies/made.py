"""A policy's parts, made for one pool."""

from typing import assert_never

from servery.admission.policy import AdmissionPolicy
from servery.core.work_weights import WorkWeights
from servery.simulation.agenda import Agenda
from servery.simulation.described.policy import Admission, Policy, Routing
from servery.simulation.policies.baselines import ChoicePlacing, LeastRequests, PrefixHash, RoundRobin
from servery.simulation.policies.cache_aware import CacheAwareChoice
from servery.simulation.policies.door import Door
from servery.simulation.policies.oracle import OraclePlacing
from servery.simulation.policies.placing import Placing
from servery.simulation.policies.plain_doors import FifoDoor, OpenDoor
from servery.simulation.policies.servery_door import ServeryDoor
from servery.simulation.policies.servery_placing import ServeryPlacing
from servery.simulation.simulated_pool import SimulatedPool


def placing_of(policy: Policy, pool: SimulatedPool, agenda: Agenda, *, block_tokens: int) -> Placing:
    match policy.routing:
        case Routing.SERVERY:
            return ServeryPlacing(pool, agenda, block_tokens=block_tokens)
        case Routing.ROUND_ROBIN:
            return ChoicePlacing(pool, RoundRobin())
        case Routing.LEAST_REQUESTS:
            return ChoicePlacing(pool, LeastRequests())
        case Routing.PREFIX_HASH:
            return ChoicePlacing(pool, PrefixHash(blocks=policy.prefix_blocks))
        case Routing.CACHE_AWARE:
            return ChoicePlacing(
                pool,
                CacheAwareChoice(
                    policy.cache_aware, agenda.clock, machines=len(pool.machines), block_tokens=block_tokens
                ),
            )
        case Routing.ORACLE:
            return OraclePlacing(pool, block_tokens=block_tokens)
        case _:
            assert_never(policy.routing)


def door_of(
    policy: Policy,
    pool: SimulatedPool,
    agenda: Agenda,
    *,
    numbers: AdmissionPolicy,
    weights: WorkWeights,
    target: float | None,
) -> Door:
    """``target`` is what streams of the pool are promised, in tokens per second; only the platform's own door keeps
    it."""
    match policy.admission:
        case Admission.SERVERY:
            return ServeryDoor(pool, agenda, policy=numbers, weights=weights, target=target)
        case Admission.FIFO:
            return FifoDoor(pool, agenda)
        case Admission.NONE:
            return OpenDoor()
        case _:
            assert_never(policy.admission)
