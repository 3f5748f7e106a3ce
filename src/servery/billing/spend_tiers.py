"""Spend tiers: how much an account may owe in a month, by what it has spent or added so far."""

from typing import Final, Self

import msgspec

from servery.core.money import NANODOLLARS_PER_DOLLAR

TIERS: Final = 4


class SpendTiers(msgspec.Struct, frozen=True, kw_only=True):
    """For tiers 1 to 4: the nano-dollars in all from which an account belongs to it, and what it may owe in a month."""

    thresholds_nanodollars: tuple[int, ...]
    budgets_nanodollars: tuple[int, ...]

    def __post_init__(self) -> None:
        assert len(self.thresholds_nanodollars) == len(self.budgets_nanodollars) == TIERS, "there are four tiers"

    @classmethod
    def parse(cls, *, thresholds_dollars: str, budgets_dollars: str) -> Self:
        """From four whole dollars each, with commas between."""
        return cls(
            thresholds_nanodollars=tuple(int(text) * NANODOLLARS_PER_DOLLAR for text in thresholds_dollars.split(",")),
            budgets_nanodollars=tuple(int(text) * NANODOLLARS_PER_DOLLAR for text in budgets_dollars.split(",")),
        )

    def tier_of(self, nanodollars: int) -> int:
        """The highest tier that ``nanodollars``, spent or added in all, qualify for; 1 at least."""
        return max(
            (tier for tier, least in enumerate(self.thresholds_nanodollars, start=1) if nanodollars >= least), default=1
        )

    def budget_nanodollars(self, tier: int) -> int:
        return self.budgets_nanodollars[tier - 1]

    def next_threshold_nanodollars(self, tier: int) -> int | None:
        """From where the tier above begins; None at the top."""
        return self.thresholds_nanodollars[tier] if tier < TIERS else None


USUAL_TIERS: Final = SpendTiers.parse(thresholds_dollars="0,50,500,5000", budgets_dollars="50,500,5000,50000")
"""The defaults of the settings."""
