"""Buckets that are filled from those that several gateways share, instead of by the clock."""

from typing import Final

from servery.catalog.token_limits import TokenLimits
from servery.limits.shared_state import NOTHING, Tokens
from servery.limits.token_buckets import TokenBuckets

_STOCK_S: Final = 2.0
_MEMORY: Final = 0.5
"""The share that the last look has in what is known of spending."""


class LeasedBuckets(TokenBuckets):
    """Begin empty. What was borrowed is deposited; what stays unused is given back.

    ``left`` is what was in the common buckets when they were last asked. ``stock`` is what should be here for the next
    seconds, by how fast tokens went until the last ``look``.
    """

    __slots__ = ("_at_look", "_looked_s", "_moved", "left", "stock")

    def __init__(self, limits: TokenLimits, *, burst_minutes: float, now_s: float) -> None:
        super().__init__(limits, burst_minutes=burst_minutes, now_s=now_s)
        self._prompt_level = self._uncached_level = self._generated_level = 0.0
        self.left = NOTHING
        self.stock = NOTHING
        self._looked_s = now_s
        self._at_look = NOTHING
        self._moved = NOTHING

    def refill(self, now_s: float) -> None:
        """Nothing comes by itself."""
        self._filled_s = max(self._filled_s, now_s)

    def remaining(self, now_s: float) -> tuple[int, int, int]:
        """What is here, and what was left in the common buckets."""
        there = self.level.plus(self.left).at_least(NOTHING)
        return int(there.prompt), int(there.uncached_prompt), int(there.generated)

    @property
    def level(self) -> Tokens:
        """What is here; below nothing where more was used than was borrowed for it."""
        return Tokens(self._prompt_level, self._uncached_level, self._generated_level)

    def deposit(self, tokens: Tokens, *, left: Tokens) -> None:
        """These were borrowed, and so many were left."""
        self._move(tokens)
        self.left = left

    def withdraw(self, tokens: Tokens) -> None:
        """These are given back."""
        self._move(NOTHING.minus(tokens))

    def look(self, now_s: float) -> None:
        """Work out how fast tokens go. To be called about once a second."""
        elapsed_s = now_s - self._looked_s
        if elapsed_s <= 0.0:
            return
        spent = self._at_look.plus(self._moved).minus(self.level).at_least(NOTHING)
        self.stock = self.stock.times(1 - _MEMORY).plus(spent.times(_MEMORY * _STOCK_S / elapsed_s))
        self._looked_s, self._at_look, self._moved = now_s, self.level, NOTHING

    def _move(self, tokens: Tokens) -> None:
        self._prompt_level += tokens.prompt
        self._uncached_level += tokens.uncached_prompt
        self._generated_level += tokens.generated
        self._moved = self._moved.plus(tokens)
