"""Refused requests of several workers: found whichever of them is asked.

Each worker answers the others at a Unix socket: a line with an account and a request's id, then a line with what it
remembers, or ``null``.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import msgspec

from servery.metering.refused_requests import RefusedRequest, RefusedRequests

_PATIENCE_S: Final = 1.0
_question = msgspec.json.Decoder(tuple[str, str])
_answer = msgspec.json.Decoder(RefusedRequest | None)


class SharedRefusals:
    """Those of worker ``index`` of ``count``, ``own``, and the way to those of the others. ``directory`` is where their
    sockets are; a single worker has none. Gateways that share nothing but a database do not ask each other."""

    def __init__(self, own: RefusedRequests, directory: Path, *, index: int, count: int) -> None:
        self._own = own
        self._directory = directory
        self._index = index
        self._count = count
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to answer the other workers."""
        if self._count == 1:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = self._socket(self._index)
        socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._tell, path=socket)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._socket(self._index).unlink(missing_ok=True)

    async def find(self, account: str, request_id: str) -> RefusedRequest | None:
        """The account's refused request of that id, if any worker still knows it. A worker that does not answer in time
        knows nothing."""
        found = self._own.find(account, request_id)
        if found is not None or self._count == 1:
            return found
        others = [index for index in range(self._count) if index != self._index]
        answers = await asyncio.gather(*(self._ask(index, account, request_id) for index in others))
        return next((answer for answer in answers if answer is not None), None)

    async def _ask(self, index: int, account: str, request_id: str) -> RefusedRequest | None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket(index))
                try:
                    writer.write(msgspec.json.encode((account, request_id)) + b"\n")
                    line = await reader.readline()
                finally:
                    writer.close()
            return _answer.decode(line) if line else None
        return None

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                if line := await reader.readline():
                    account, request_id = _question.decode(line)
                    writer.write(msgspec.json.encode(self._own.find(account, request_id)) + b"\n")
                    await writer.drain()
        writer.close()

    def _socket(self, index: int) -> Path:
        return self._directory / f"refusals-{index}.sock"
