"""The nearest whole number: as ``round`` finds it."""

from hypothesis import given
from hypothesis import strategies as st

from servery.core.nearest import nearest


@given(st.floats(0.0, 2.0**60) | st.integers(0, 2**50).map(lambda halves: halves / 2))
def test_it_is_that_of_round(quantity: float) -> None:
    """Of any quantity, and where two are as near."""
    assert nearest(quantity) == round(quantity)
