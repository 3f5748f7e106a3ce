"""Listens on a port, keeps its connections, and lets go of them in good order."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from servery.core.misconfigured import Misconfigured
from servery.core.write_turn import WriteTurn
from servery.web.server.client_connection import ClientConnection, Handler
from servery.web.server.server_limits import ServerLimits
from servery.web.server.tls_door import TlsDoor

_SWEEP_S = 1.0
_BACKLOG = 2_048
_FAREWELL_S = 3.0
"""How long clients have to take the last word."""


class Listener:
    """``start`` once, then ``drain``. With ``tls`` it speaks nothing but HTTPS."""

    def __init__(self, handler: Handler, limits: ServerLimits, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._handler = handler
        self._limits = limits
        self._connections: set[ClientConnection] = set()
        self._server: asyncio.Server | None = None
        self._door: TlsDoor | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweeps_s = 0.0
        self._changed = asyncio.Event()
        self._is_hurried = False
        self._is_cutting = False
        self._turn: WriteTurn | None = None
        self.is_draining = False

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    @property
    def open_handshakes(self) -> int:
        """Clients whose TLS handshake is not over; they count towards ``max_connections`` too."""
        return 0 if self._door is None else self._door.handshakes

    async def start(self, host: str, port: int, *, shared: bool = False) -> int:
        """Listen; returns the port (a free one when ``port`` is 0). A ``shared`` port is listened on by several
        processes, among which the system deals out new connections. Raises Misconfigured when it cannot."""
        self._turn = WriteTurn()
        try:
            if self._tls is None:
                bound = await self._open(host, port, shared=shared)
            else:
                bound = await self._open_door(self._tls, host, port, shared=shared)
        except (OSError, OverflowError) as error:
            raise Misconfigured(f"cannot listen on {host}:{port}: {error}") from error
        self._sweep()
        return bound

    async def drain(self, *, timeout_s: float, before_cut: Callable[[], None] | None = None) -> None:
        """Take nothing new, let what is being served finish, and cut off what is left after ``timeout_s``: then, after
        ``before_cut``, handlers are cancelled, and have a moment to say so to their clients."""
        opened = self._server or self._door
        assert opened is not None, "only what was started is drained"
        self.is_draining = True
        opened.close()
        for connection in list(self._connections):
            connection.close_when_idle()
        await self._wait_until_empty(timeout_s)
        if self._connections:
            if before_cut is not None:
                before_cut()
            self._is_cutting = True
            for connection in list(self._connections):
                connection.cut_off()
            await self._wait_until_empty(_FAREWELL_S)
            while self._connections:
                self._abort()
                await self._wait_until_empty(_FAREWELL_S)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def hurry(self) -> None:
        """Do not wait for what is being served to finish; if that was said before, close all connections now."""
        if self._is_cutting:
            self._abort()
        self._is_hurried = True
        self._changed.set()

    def _abort(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    async def _wait_until_empty(self, timeout_s: float) -> None:
        """For so long at most, and no longer than whoever hurries likes."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._connections and (self._is_cutting or not self._is_hurried):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    async def _open(self, host: str, port: int, *, shared: bool) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._new_connection, host, port, backlog=_BACKLOG, reuse_port=shared)
        bound: socket.socket = self._server.sockets[0]
        return int(bound.getsockname()[1])

    async def _open_door(self, tls: ssl.SSLContext, host: str, port: int, *, shared: bool) -> int:
        self._door = TlsDoor(
            tls,
            new_connection=self._new_connection,
            has_room=lambda: len(self._connections) + self.open_handshakes < self._limits.max_connections,
            handshake_timeout_s=self._limits.header_timeout_s,
        )
        return await self._door.open(host, port, backlog=_BACKLOG, reuse_port=shared)

    def _new_connection(self) -> ClientConnection:
        assert self._turn is not None, "clients come once it has been started"
        return ClientConnection(self._handler, self._limits, self._turn, on_open=self._opened, on_close=self._closed)

    def _opened(self, connection: ClientConnection) -> bool:
        """Whether there is room for one more."""
        self._connections.add(connection)
        return len(self._connections) <= self._limits.max_connections and not self.is_draining

    def _closed(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._changed.set()

    def _sweep(self) -> None:
        """Not where the event loop was held up: what clients have sent meanwhile is read first."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if now_s - self._sweeps_s < _SWEEP_S:
            for connection in list(self._connections):
                connection.sweep(now_s)
        self._sweeps_s = now_s + _SWEEP_S
        self._sweeper = loop.call_at(self._sweeps_s, self._sweep)
