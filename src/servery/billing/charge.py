"""What a request costs."""

from servery.core.acyclic import acyclic
from servery.core.value import Value


@acyclic
class Charge(Value):
    """What a request costs: exactly, and as it is posted (rounded once, half to even)."""

    FIELDS = ("picodollars", "nanodollars")
    __slots__ = FIELDS

    def __init__(self, picodollars: int, nanodollars: int) -> None:
        self.picodollars = picodollars
        self.nanodollars = nanodollars
