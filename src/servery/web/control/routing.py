"""Why a request went where it went, as a part of its receipt that operators see."""

import msgspec

from servery.routing.decision import RouteReason, Score
from servery.routing.placements import Placements
from servery.routing.weighing import Weighing


class CandidateResource(msgspec.Struct, rename="camel"):
    """One replica that was weighed, as routing saw it then. The least ``cost_s`` was chosen."""

    replica: str
    chosen: bool
    cached_prompt_tokens: int
    uncached_prompt_tokens: int
    queued_prompt_tokens: int
    cost_s: float
    busy_s: float
    dropped_s: float
    discount_s: float


class PlacementResource(msgspec.Struct, rename="camel"):
    """One time that a branch of the request was sent to a replica. ``full`` are replicas that were looked at and had no
    room, or had failed the request before."""

    branch: int
    reason: RouteReason
    candidates: list[CandidateResource]
    full: list[str]


class RoutingResource(msgspec.Struct, rename="camel"):
    """What the worker that was asked remembers of the request; no placements where another worker served it, or they
    are forgotten."""

    worker: int
    placements: list[PlacementResource]


def routing_of(request_id: str, placements: Placements, *, worker: int) -> RoutingResource:
    return RoutingResource(worker, [_placement(one) for one in placements.of(request_id)])


def _placement(placed: Weighing) -> PlacementResource:
    decision = placed.decision
    candidates = [_candidate(score, chosen=score is decision.chosen) for score in decision.scores]
    return PlacementResource(placed.branch, decision.reason, candidates, list(decision.full))


def _candidate(score: Score, *, chosen: bool) -> CandidateResource:
    return CandidateResource(
        replica=score.replica,
        chosen=chosen,
        cached_prompt_tokens=round(score.cached_tokens),
        uncached_prompt_tokens=round(score.uncached_tokens),
        queued_prompt_tokens=round(score.queued_tokens),
        cost_s=round(score.cost_s, 6),
        busy_s=round(score.busy_s, 6),
        dropped_s=round(score.dropped_s, 6),
        discount_s=round(score.discount_s, 6),
    )
