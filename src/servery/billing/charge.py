"""What a request costs."""

import msgspec


class Charge(msgspec.Struct, frozen=True):
    """What a request costs: exactly, and as it is posted (rounded once, half to even)."""

    picodollars: int
    nanodollars: int
