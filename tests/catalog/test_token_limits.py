"""Ceilings by a model's size."""

import pytest

from servery.catalog.token_limits import TokenLimits, ceilings_by_size


@pytest.mark.parametrize(
    ("parameter_count", "prompt", "uncached", "generated"),
    [
        (1, 216_000_000, 54_000_000, 2_160_000),
        (599_999_999_999, 216_000_000, 54_000_000, 2_160_000),
        (600_000_000_000, 43_200_000, 10_800_000, 432_000),
        (1_599_999_999_999, 43_200_000, 10_800_000, 432_000),
        (1_600_000_000_000, 21_600_000, 5_400_000, 216_000),
        (None, 21_600_000, 5_400_000, 216_000),
    ],
)
def test_ceilings_follow_the_size(parameter_count: int | None, prompt: int, uncached: int, generated: int) -> None:
    """Three sizes, with their edges; an unknown size counts as the largest."""
    assert ceilings_by_size(parameter_count) == TokenLimits(
        prompt_tokens_per_minute=prompt,
        uncached_prompt_tokens_per_minute=uncached,
        generated_tokens_per_minute=generated,
    )
