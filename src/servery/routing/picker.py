"""Least predicted prefill work: the replica that will have computed this prompt soonest.

The cost of a replica is the prompt tokens that were sent there and are not yet computed, plus the part of this prompt
that it does not hold, plus what its cache would drop to make room, plus a little for each stream that it is generating.
Being a session's home is worth a discount in that sum, never an override, so a saturated home is left.
"""

from collections.abc import Sequence

import msgspec

_TOKENS_PER_STREAM = 16.0
_HOME_DISCOUNT_TOKENS = 1_024.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one replica that could serve a request. Tokens are predictions."""

    name: str
    pending_prompt_tokens: float
    uncached_prompt_tokens: float
    dropped_tokens: float
    in_flight: int
    is_home: bool = False

    @property
    def cost_tokens(self) -> float:
        discount = _HOME_DISCOUNT_TOKENS if self.is_home else 0.0
        work = self.pending_prompt_tokens + max(1.0, self.uncached_prompt_tokens) + self.dropped_tokens
        return work + _TOKENS_PER_STREAM * self.in_flight - discount


def pick(candidates: Sequence[Candidate]) -> Candidate | None:
    """The cheapest; of equals the one with fewer streams, then the first. None when there is none."""
    return min(candidates, key=lambda one: (one.cost_tokens, one.in_flight), default=None)
