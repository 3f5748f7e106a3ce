"""Amounts of money as the control plane shows them."""

import msgspec

from servery.core.money import NANODOLLARS_PER_DOLLAR


class Money(msgspec.Struct, rename="camel"):
    """Whole units of the currency, and nano-units beyond them with the same sign."""

    currency_code: str
    units: str
    nanos: int


def money(nanodollars: int) -> Money:
    """Dollars, exactly."""
    units, nanos = divmod(abs(nanodollars), NANODOLLARS_PER_DOLLAR)
    sign = -1 if nanodollars < 0 else 1
    return Money("USD", str(sign * units), sign * nanos)
