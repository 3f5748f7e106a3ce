"""What the desks and seats of one pool share."""

from servery.core.clock import Clock
from servery.routing.block_index import BlockIndex
from servery.routing.home_worth import HomeWorth
from servery.routing.index_error import IndexErrorSum
from servery.routing.prefill_rate import PoolRate


class Commons:
    """One of a pool. ``in_flight`` are the seats that are taken; ``now_s`` reads the monotonic clock."""

    __slots__ = ("errors", "home", "in_flight", "index", "names", "now_s", "rate")

    def __init__(self, clock: Clock, *, names: tuple[str, ...]) -> None:
        self.now_s = clock.monotonic_s
        self.names = names
        self.index = BlockIndex()
        self.errors = IndexErrorSum()
        self.rate = PoolRate()
        self.home = HomeWorth()
        self.in_flight = 0
