"""Amounts of money as they are written in requests."""

import msgspec

from servery.core.errors import InvalidRequest
from servery.core.money import NANODOLLARS_PER_DOLLAR

_MOST_UNITS = 10**9


class Amount(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``{"currencyCode": "USD", "units": "12", "nanos": 500000000}``: whole dollars, as text or number, and
    nano-dollars beyond them."""

    units: str | int = 0
    nanos: int = 0
    currency_code: str = "USD"

    @property
    def nanodollars(self) -> int:
        """Raises InvalidRequest for what is not an amount of dollars, from 0 to a billion."""
        text = str(self.units)
        if self.currency_code != "USD":
            raise InvalidRequest("amounts are in USD", param="currencyCode")
        if not (text.isascii() and text.isdigit() and int(text[:12]) <= _MOST_UNITS):
            raise InvalidRequest("units are whole dollars from 0 to a billion", param="units")
        if not 0 <= self.nanos < NANODOLLARS_PER_DOLLAR:
            raise InvalidRequest("nanos lie between 0 and 999999999", param="nanos")
        return int(text) * NANODOLLARS_PER_DOLLAR + self.nanos
