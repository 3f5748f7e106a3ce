"""Ceilings by a model's size and an account's spend tier."""

from datetime import date

import msgspec
import pytest

from servery.catalog.model import Capability, Model
from servery.catalog.price_row import ModelPrices, PriceRow
from servery.catalog.token_limits import TokenLimits
from servery.limits.ceilings import Ceilings

MODEL = Model(
    name="accounts/servery/models/m",
    pool="shared",
    context_length=4096,
    capabilities=frozenset({Capability.CHAT}),
    prices=ModelPrices(standard=PriceRow(input=100_000, output=400_000)),
    created=date(2026, 1, 1),
)


def tokens(prompt: int, uncached: int, generated: int) -> TokenLimits:
    return TokenLimits(
        prompt_tokens_per_minute=prompt,
        uncached_prompt_tokens_per_minute=uncached,
        generated_tokens_per_minute=generated,
    )


@pytest.mark.parametrize(
    ("parameter_count", "ceilings"),
    [
        (1, tokens(216_000_000, 54_000_000, 2_160_000)),
        (599_999_999_999, tokens(216_000_000, 54_000_000, 2_160_000)),
        (600_000_000_000, tokens(43_200_000, 10_800_000, 432_000)),
        (1_599_999_999_999, tokens(43_200_000, 10_800_000, 432_000)),
        (1_600_000_000_000, tokens(21_600_000, 5_400_000, 216_000)),
        (None, tokens(21_600_000, 5_400_000, 216_000)),
    ],
)
def test_ceilings_follow_the_size(parameter_count: int | None, ceilings: TokenLimits) -> None:
    """Three sizes, with their edges; an unknown size counts as the largest."""
    model = msgspec.structs.replace(MODEL, parameter_count=parameter_count)
    assert Ceilings().of(model, spend_tier=3) == ceilings


@pytest.mark.parametrize(("spend_tier", "share"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 1.0)])
def test_lower_spend_tiers_have_a_share(spend_tier: int, share: float) -> None:
    """A quarter, half, and from tier 3 on all."""
    ceilings = Ceilings().of(MODEL, spend_tier=spend_tier)
    assert ceilings == tokens(int(21_600_000 * share), int(5_400_000 * share), int(216_000 * share))


@pytest.mark.parametrize("spend_tier", [1, 4])
def test_what_the_catalog_lists_is_the_ceiling(spend_tier: int) -> None:
    """As it is written, for every account."""
    listed = tokens(1_000, 500, 400)
    assert Ceilings().of(msgspec.structs.replace(MODEL, limits=listed), spend_tier=spend_tier) == listed


def test_ceilings_are_worked_out_once() -> None:
    """The same object while the model is the same; another model of the same name has its own."""
    ceilings = Ceilings()
    assert ceilings.of(MODEL, spend_tier=1) is ceilings.of(MODEL, spend_tier=1)
    larger = msgspec.structs.replace(MODEL, limits=tokens(1, 1, 1))
    assert ceilings.of(larger, spend_tier=1) == tokens(1, 1, 1)
