"""Numbers are written in decimal digits, the small ones looked up and the others made."""

from hypothesis import given
from hypothesis import strategies as st

from servery.core.digits import digits


@given(st.integers(-5_000, 5_000) | st.integers())
def test_any_number_is_written_as_it_is(number: int) -> None:
    """Small or large, negative ones too."""
    assert digits(number) == str(number).encode()
