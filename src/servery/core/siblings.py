"""What the workers of one platform ask each other, each at a Unix socket of its own: a line, answered in any length."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 1.0

Answer = Callable[[bytes], bytes]
"""What a worker says to a question, which is without its line's end."""


class Siblings:
    """The others of worker ``index`` of ``count``, for questions of the kind ``about``. ``directory`` is where sockets
    are; a single worker has none, and nobody to ask."""

    def __init__(self, directory: Path, about: str, *, index: int, count: int) -> None:
        self._directory = directory
        self._about = about
        self._index = index
        self.others = [other for other in range(count) if other != index]
        self._server: asyncio.Server | None = None

    async def open(self, answer: Answer) -> None:
        """Begin to answer the others."""
        if not self.others:
            return

        async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    line = await reader.readline()
                    if line.endswith(b"\n"):
                        writer.write(answer(line[:-1]))
                        await writer.drain()
            writer.close()

        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = self._socket(self._index)
        socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(tell, path=socket)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._socket(self._index).unlink(missing_ok=True)

    async def ask(self, question: bytes) -> dict[int, bytes]:
        """The others' answers by worker; ``b""`` of one that did not answer in time. ``question`` is a single line."""
        answers = await asyncio.gather(*(self._ask(other, question) for other in self.others))
        return dict(zip(self.others, answers, strict=True))

    async def _ask(self, other: int, question: bytes) -> bytes:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket(other))
                try:
                    writer.write(question + b"\n")
                    return await reader.read(-1)
                finally:
                    writer.close()
        return b""

    def _socket(self, index: int) -> Path:
        return self._directory / f"{self._about}-{index}.sock"
