"""The numbers by which a pool's queue decides."""

from math import inf
from typing import assert_never

import msgspec

from servery.core.serving_path import ServingClass


class AdmissionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, shares from 0 to 1, and counts.

    ``wait_limit_s`` is how long anybody but Batch may wait. Standard is shed when it would wait ``standard_budget_s``,
    Priority when ``priority_budget_s``, with a chance that rises from nothing at half of that.

    A replica is sent a further prompt when what it has to compute by then should take no longer than
    ``prefill_ahead_s``: long enough that it always has the next at hand, and no longer. While Priority comes, no longer
    than ``prefill_ahead_beside_priority_s``, because a prompt that an engine has begun does not make way.

    ``standard_floor`` of the work that is sent while Priority waits is Standard's, and so much of the queue.
    ``batch_headroom`` of each replica's limits is left free by Batch at most, and less while few others are inside.

    While Priority comes, Standard leaves so many places free that no more than one Priority in 2,000 would find
    none, but not so many that more than the share ``priority_reserve`` of what the pool generates would be lost by it;
    and at a quarter of the replicas, two at most, one of them where no prompt waits to be computed.

    For each Priority that would wait longer than ``recall_beyond_s`` one is called back that was sent in the last
    ``recall_within_s`` and has no first byte yet, each request at most ``recalls_per_request`` times.
    """

    wait_limit_s: float = 30.0
    prefill_ahead_s: float = 0.05
    prefill_ahead_beside_priority_s: float = 0.005
    standard_budget_s: float = 10.0
    priority_budget_s: float = 30.0
    standard_floor: float = 0.1
    batch_headroom: float = 0.2
    priority_reserve: float = 0.05
    recall_beyond_s: float = 0.01
    recall_within_s: float = 5.0
    recalls_per_request: int = 4

    def budget_s(self, serving_class: ServingClass) -> float:
        """A request of that class that would wait so long is refused; inf where none is."""
        match serving_class:
            case ServingClass.PRIORITY:
                return self.priority_budget_s
            case ServingClass.STANDARD:
                return self.standard_budget_s
            case ServingClass.BATCH:
                return inf
            case _:
                assert_never(serving_class)
