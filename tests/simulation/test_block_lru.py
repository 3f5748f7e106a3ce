"""The cache of a simulated engine."""

from hypothesis import given
from hypothesis import strategies as st

from servery.simulation.engines.block_lru import BlockLru


def test_a_prefix_is_held_up_to_its_first_gap() -> None:
    """A block behind a missing one is of no use."""
    cache = BlockLru(10)
    cache.use((1, 2, 3))
    cache.drop((2,))
    assert cache.held((1, 2, 3)) == 1


def test_the_end_of_the_oldest_prompt_goes_first() -> None:
    """So that what is left is still a prefix."""
    cache = BlockLru(4)
    cache.use((1, 2, 3))
    cache.use((7, 8))
    assert cache.held((1, 2, 3)) == 2
    assert cache.held((7, 8)) == 2


@given(st.lists(st.lists(st.integers(0, 30), max_size=8).map(tuple), max_size=40), st.integers(0, 12))
def test_no_more_is_held_than_fits(prompts: list[tuple[int, ...]], limit: int) -> None:
    """Whatever is used, and what was used last is held as far as it fits."""
    cache = BlockLru(limit)
    for prompt in prompts:
        cache.use(prompt)
        assert len(cache) <= limit
        assert cache.held(prompt) == len(prompt) or len(set(prompt)) > limit
