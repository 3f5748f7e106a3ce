"""What a process has to do with the fleet."""

import msgspec

from servery.fleet.replica_news import NewsDesk
from servery.fleet.share import Share


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """One process alone starts the embedded engines and serves from them. Where several workers serve, their
    supervisor only starts engines (``serves`` is false); a worker hears of them at its ``desk`` and has its ``share``
    of all replicas."""

    share: Share = Share()
    desk: NewsDesk | None = None
    serves: bool = True
