"""Rating: exact, and rounded once."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.billing.charge import Charge
from servery.billing.rating import rate
from servery.core.price import Price
from servery.core.usage import Usage

TOKENS = st.integers(min_value=0, max_value=10_000_000)
PICODOLLARS = st.integers(min_value=0, max_value=10**12)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    prompt, generated = draw(TOKENS), draw(TOKENS)
    cached = draw(st.integers(min_value=0, max_value=prompt))
    return Usage(prompt, cached, generated, draw(st.integers(min_value=0, max_value=generated)))


def test_each_kind_of_token_has_its_price() -> None:
    """Uncached prompt, cached prompt and generated tokens are priced each; reasoning is part of what was generated."""
    price = Price(950_000, 475_000, 4_000_000)
    usage = Usage(prompt_tokens=1_000, cached_prompt_tokens=400, generated_tokens=50, reasoning_tokens=30)
    assert rate(usage, price) == Charge(960_000_000, 960_000)


@pytest.mark.parametrize(
    ("picodollars", "nanodollars"), [(0, 0), (499, 0), (500, 0), (501, 1), (1_499, 1), (1_500, 2), (2_500, 2)]
)
def test_halves_go_to_the_even_side(picodollars: int, nanodollars: int) -> None:
    """A charge half way between two nano-dollars becomes the even one, so that halves do not add up."""
    assert rate(Usage(prompt_tokens=1), Price(picodollars, 0, 0)) == Charge(picodollars, nanodollars)


@given(usages(), st.builds(Price, PICODOLLARS, PICODOLLARS, PICODOLLARS))
def test_a_charge_is_exact_and_rounded_once(usage: Usage, price: Price) -> None:
    """The posted amount is the exact amount rounded half to even, and nothing else was rounded on the way."""
    charge = rate(usage, price)
    exact = (
        Fraction(usage.prompt_tokens) * price.input_picodollars_per_token
        + Fraction(usage.cached_prompt_tokens)
        * (price.cached_input_picodollars_per_token - price.input_picodollars_per_token)
        + Fraction(usage.generated_tokens) * price.output_picodollars_per_token
    )
    assert charge.picodollars == exact
    assert charge.nanodollars == round(exact / 1_000)
