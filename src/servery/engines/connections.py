"""The connections to one engine: opened when needed, kept a short while, never more than a limit."""

import asyncio
import ssl

from servery.core.clock import Clock
from servery.core.errors import EngineUnavailable
from servery.core.write_turn import WriteTurn
from servery.engines.address import EngineAddress
from servery.engines.connection import EngineConnection
from servery.engines.connection_limits import ConnectionLimits
from servery.engines.plain_answers import PlainAnswers
from servery.engines.response_head import KnownHead


class Connections:
    """Hands out connections to one address, the most recently used first. What they have learned of how its engine
    answers they share: the last head, and ``plain_answers``."""

    def __init__(self, address: EngineAddress, limits: ConnectionLimits, clock: Clock, turn: WriteTurn) -> None:
        self._turn = turn
        self._known_head = KnownHead()
        self.plain_answers = PlainAnswers()
        self._address = address
        self._limits = limits
        self._idle_s = limits.idle_s
        self._most_idle = limits.idle_connections
        self._now_s = clock.monotonic_s
        self._idle: list[EngineConnection] = []
        self._tls = ssl.create_default_context() if address.tls else None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._turn.loop

    @property
    def now_s(self) -> float:
        """As ``WriteTurn.now_s``."""
        return self._turn.now_s

    def idle(self) -> EngineConnection | None:
        """A kept connection that is still open, if there is one. It may yet turn out to be stale."""
        while self._idle:
            connection = self._idle.pop()
            fresh = self._now_s() - connection.idle_since_s < self._idle_s
            if connection.is_open and fresh:
                return connection
            connection.close()
        return None

    async def open(self) -> EngineConnection:
        """A new connection. Raises EngineUnavailable when the engine cannot be reached in time."""
        loop = asyncio.get_running_loop()
        address = self._address
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                _, connection = await loop.create_connection(
                    lambda: EngineConnection(self._turn, self._known_head), address.host, address.port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:
            raise EngineUnavailable("the engine that serves this model cannot be reached") from error
        return connection

    def keep(self, connection: EngineConnection) -> None:
        """Take back a connection whose exchange is over; closes it unless it can be used again."""
        if connection.reusable and connection.is_open and len(self._idle) < self._most_idle:
            connection.idle_since_s = self._now_s()
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
