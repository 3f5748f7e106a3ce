"""A small SMTP server that keeps what it is handed."""

import asyncio
import ssl
from types import TracebackType
from typing import Self


class SmtpSink:
    """Listens on loopback. With ``tls`` it offers STARTTLS; addresses in ``refused`` are not taken."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, refused: frozenset[str] = frozenset()) -> None:
        self.messages: list[bytes] = []
        self.commands: list[str] = []
        self.port = 0
        self._tls = tls
        self._refused = refused
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted = False
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            text = line.decode().strip()
            self.commands.append(("tls " if encrypted else "") + text)
            match text.split(" ")[0].upper():
                case "EHLO":
                    extensions = [b"sink", b"AUTH PLAIN", *([b"STARTTLS"] if self._tls and not encrypted else [])]
                    writer.write(b"".join(b"250-" + one + b"\r\n" for one in extensions) + b"250 OK\r\n")
                case "STARTTLS":
                    writer.write(b"220 go\r\n")
                    await writer.drain()
                    assert self._tls is not None
                    await writer.start_tls(self._tls)
                    encrypted = True
                case "AUTH":
                    writer.write(b"235 in\r\n")
                case "RCPT" if any(address in text for address in self._refused):
                    writer.write(b"550 nobody\r\n")
                case "DATA":
                    writer.write(b"354 go\r\n")
                    lines = []
                    while (part := await reader.readline()) != b".\r\n":
                        lines.append(part)
                    self.messages.append(b"".join(lines))
                    writer.write(b"250 kept\r\n")
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 OK\r\n")
        writer.close()
