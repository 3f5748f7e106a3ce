"""Second attempts at requests whose first one has no first byte after a while, at another replica of their pool.

    sent to a replica ──── hedge_after_s ────► sent to another as well ──── first byte of either: it is the answer,
                                                                            the other is stopped and counts for nothing

A slow replica is known only by its slowness, so waiting a little and asking another cuts the longest waits at the cost
of few requests (Dean and Barroso, "The Tail at Scale", 2013). It never costs others their turn: a second attempt goes
only where there is room that nobody waits for, makes room for whom it was called back for, and is paid from the budget
of the retries. A request that was hedged is not retried.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from servery.admission.gate import Gate, Place
from servery.core.hedge_outcome import HedgeOutcome
from servery.engines.whole_answer import WholeAnswer
from servery.fleet.replica_pool import ReplicaPool
from servery.serving.errand import Errand, Visit
from servery.serving.race import Race
from servery.serving.retry import RetryBudget

Seating = Callable[[Errand, Place, frozenset[str]], Visit]
"""Takes a seat for an errand that has a place, in none of the replicas with these names if there is another."""

Asking = Callable[[Errand, Visit], Coroutine[Any, Any, WholeAnswer]]
"""Asks the engine of a visit, until its answer is there."""


class Hedging:
    """``pools`` and ``gates`` are by the pool's name. ``waits_s``: after how long a pool's requests are sent to another
    replica as well; None: they are not. ``outcomes`` counts, for each pool, how second attempts ended."""

    def __init__(self, pools: Mapping[str, ReplicaPool], gates: Mapping[str, Gate], retries: RetryBudget) -> None:
        self.waits_s = {name: pool.spec.hedge_after_s for name, pool in pools.items()}
        self._gates = gates
        self._retries = retries
        self.outcomes = {
            name: dict.fromkeys(HedgeOutcome, 0) for name, wait_s in self.waits_s.items() if wait_s is not None
        }

    async def run(
        self, errand: Errand, place: Place, visit: Visit, *, wait_s: float, seating: Seating, asking: Asking
    ) -> WholeAnswer:
        """The answer of ``visit``, or of a second one. Raises what ``asking`` does. ``place`` and ``visit`` remain the
        caller's, which leaves and ends them even if that was done here."""
        race = Race()
        first = race.enter(place, visit, asking(errand, visit))
        try:
            await asyncio.wait([first.task], timeout=wait_s)
            if not first.task.done() and race.winner is None:
                self._send_second(errand, race, seating, asking)
            return await race.result()
        finally:
            if len(race.lanes) > 1:
                self._count(errand, race)
            await race.end()

    def _send_second(self, errand: Errand, race: Race, seating: Seating, asking: Asking) -> None:
        outcomes, first = self.outcomes[errand.offer.pool], race.lanes[0].visit.seat.replica
        place = self._gates[errand.offer.pool].enter_beside(errand.demand, first, on_recall=race.call_off_second)
        if place is None:
            outcomes[HedgeOutcome.NO_ROOM] += 1
            return
        if not self._retries.spend():
            outcomes[HedgeOutcome.NO_BUDGET] += 1
            place.leave()
            return
        try:
            visit = seating(errand, place, frozenset({first.name}))
        except BaseException:
            place.leave()
            raise
        errand.retries += 1
        race.enter(place, visit, asking(errand, visit))

    def _count(self, errand: Errand, race: Race) -> None:
        outcome = race.outcome
        self.outcomes[errand.offer.pool][outcome] += 1
        errand.journey.hedge = outcome
