"""What the process that keeps the embedded engines tells the workers of them."""

import asyncio
from collections.abc import Callable

import msgspec

from servery.engines.address import EngineAddress
from servery.fleet.client_factory import ClientFactory
from servery.fleet.replica import Replica


class ReplicaNews(msgspec.Struct, frozen=True, kw_only=True):
    """A replica is up at ``address``, or down for ``reason``; so far it was started again ``restarts`` times."""

    replica: str
    restarts: int = 0
    address: EngineAddress | None = None
    reason: str = ""


class NewsDesk:
    """Where the latest news of each replica lies, for those who follow them."""

    def __init__(self) -> None:
        self._latest: dict[str, ReplicaNews] = {}
        self._followers: dict[str, Callable[[ReplicaNews], None]] = {}

    def tell(self, news: ReplicaNews) -> None:
        self._latest[news.replica] = news
        if follower := self._followers.get(news.replica):
            follower(news)

    def follow(self, replica: str, follower: Callable[[ReplicaNews], None]) -> None:
        """Call ``follower`` with what is known of ``replica``, and with all that will be."""
        self._followers[replica] = follower
        if news := self._latest.get(replica):
            follower(news)


class NewsFollower:
    """Keeps one replica as the news say, for as long as ``run`` is awaited."""

    def __init__(self, replica: Replica, desk: NewsDesk, *, clients: ClientFactory) -> None:
        self._replica = replica
        self._desk = desk
        self._clients = clients

    async def run(self) -> None:
        self._desk.follow(self._replica.name, self._hear)
        await asyncio.Event().wait()

    def _hear(self, news: ReplicaNews) -> None:
        self._replica.restarts = news.restarts
        if news.address is not None:
            self._replica.up(self._clients(news.address))
        else:
            self._replica.down(news.reason)
