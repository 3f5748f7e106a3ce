"""Spend tiers."""

import pytest

from servery.billing.spend_tiers import USUAL_TIERS
from servery.core.money import NANODOLLARS_PER_DOLLAR


@pytest.mark.parametrize(
    ("dollars", "tier"), [(0, 1), (49, 1), (50, 2), (499, 2), (500, 3), (4_999, 3), (5_000, 4), (10**9, 4)]
)
def test_a_tier_is_reached_at_its_threshold(dollars: int, tier: int) -> None:
    """To the dollar, and to the nano-dollar."""
    nanodollars = dollars * NANODOLLARS_PER_DOLLAR
    assert USUAL_TIERS.tier_of(nanodollars) == tier
    assert USUAL_TIERS.tier_of(nanodollars - 1) <= tier
    above = USUAL_TIERS.next_threshold_nanodollars(tier)
    assert above is None or USUAL_TIERS.tier_of(above) == tier + 1 > USUAL_TIERS.tier_of(above - 1)


def test_budgets_by_tier() -> None:
    """What the settings say."""
    dollars = [USUAL_TIERS.budget_nanodollars(tier) // NANODOLLARS_PER_DOLLAR for tier in (1, 2, 3, 4)]
    assert dollars == [50, 500, 5_000, 50_000]
