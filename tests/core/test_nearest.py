"""The nearest whole number: as ``round`` finds it, but where two are as near."""

from hypothesis import given
from hypothesis import strategies as st

from servery.core.nearest import nearest


@given(st.integers(0, 2**50), st.sampled_from([0.0, 0.125, 0.25, 0.625, 0.875]))
def test_it_is_that_of_round(whole: int, part: float) -> None:
    """Wherever one is nearer than the other."""
    assert nearest(whole + part) == round(whole + part)


def test_of_two_the_greater() -> None:
    """Also where ``round`` takes the even one."""
    assert [nearest(quantity) for quantity in (0.0, 0.5, 1.5, 2.5)] == [0, 1, 2, 3]
