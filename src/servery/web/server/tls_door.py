"""Takes connections for HTTPS: a client is counted from its first packet on, not from the end of its handshake."""

import asyncio
import socket
import ssl
from collections.abc import Callable

_ACCEPTED_TOGETHER = 64
_OUT_OF_FILES_S = 1.0


class TlsDoor:
    """Listens on ``host`` and ``port`` from its making on; ``open`` lets clients in.

    ``new_connection`` makes the protocol that is told of a connection once its handshake is over. ``has_room``: whether
    one more client is borne; one that is not is sent away before a byte of it is read. A handshake that fails, or takes
    longer than ``handshake_timeout_s``, closes its connection and is nobody's concern.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        new_connection: Callable[[], asyncio.Protocol],
        has_room: Callable[[], bool],
        handshake_timeout_s: float,
    ) -> None:
        self._tls = tls
        self._new_connection = new_connection
        self._has_room = has_room
        self._handshake_timeout_s = handshake_timeout_s
        self._loop = asyncio.get_running_loop()
        self._listening: list[socket.socket] = []
        self._handshakes: set[asyncio.Task[None]] = set()

    @property
    def handshakes(self) -> int:
        """How many clients are in the middle of it."""
        return len(self._handshakes)

    async def open(self, host: str, port: int, *, backlog: int, reuse_port: bool) -> int:
        """Listen on every address of ``host``; returns the port. Raises OSError and OverflowError."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, kind, protocol, _, address in dict.fromkeys(found):
                listening = socket.socket(family, kind, protocol)
                self._listening.append(listening)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if reuse_port:
                    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listening.bind(address)
                listening.listen(backlog)
                listening.settimeout(0)
        except OSError:
            self._let_go()
            raise
        for listening in self._listening:
            self._loop.add_reader(listening, self._accept, listening)
        return int(self._listening[0].getsockname()[1])

    def close(self) -> None:
        """Take nobody any more; who is in the middle of a handshake is sent away."""
        for listening in self._listening:
            self._loop.remove_reader(listening)
        self._let_go()
        for handshake in self._handshakes:
            handshake.cancel()

    def _let_go(self) -> None:
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTED_TOGETHER):
            try:
                client, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file descriptor or memory is left: those who wait go on waiting
                self._loop.remove_reader(listening)
                self._loop.call_later(_OUT_OF_FILES_S, self._accept_again, listening)
                return
            if not self._has_room():
                client.close()
                continue
            client.settimeout(0)
            handshake = self._loop.create_task(self._shake_hands(client))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._listening:
            self._loop.add_reader(listening, self._accept, listening)

    async def _shake_hands(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._new_connection, client, ssl=self._tls, ssl_handshake_timeout=self._handshake_timeout_s
            )
        except (OSError, asyncio.CancelledError):  # ssl.SSLError is one; a door that closes cancels
            client.close()
