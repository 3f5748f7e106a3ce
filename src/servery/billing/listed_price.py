"""A row of the price list."""

import msgspec

from servery.catalog.offer import Offer
from servery.catalog.price_schedule import PriceStep


class ListedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the price list: what is in force, since when, and what comes after it. ``offer`` has the price in force.
    ``since_ns`` is when that price was first recorded where the catalog lists it from the beginning."""

    offer: Offer
    since_ns: int
    next_change: PriceStep | None
