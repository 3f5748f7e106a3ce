"""A wire that can be cut: a TCP proxy on loopback, between a gateway and its database."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Self


class Wire:
    """Listens on ``port`` and leads to ``target``, both on loopback, from a thread of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open = asyncio.Event()
        self._refuses = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stall(self) -> None:
        """Nothing gets through, and nobody is told."""
        self._call(self._set(is_open=False, refuses=False))

    def reset(self) -> None:
        """All connections break, and new ones too, until the wire is mended."""
        self._call(self._set(is_open=True, refuses=True))

    def mend(self) -> None:
        self._call(self._set(is_open=True, refuses=False))

    def _call(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _set(self, *, is_open: bool, refuses: bool) -> None:
        self._refuses = refuses
        if is_open:
            self._open.set()
        else:
            self._open.clear()
        for end in list(self._ends) if refuses else ():
            end.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._ends.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._open.wait()
            if self._refuses:
                return
            back, there = await asyncio.open_connection("127.0.0.1", self._target)
            self._ends.add(there)
            await asyncio.wait(
                {asyncio.create_task(self._carry(reader, there)), asyncio.create_task(self._carry(back, writer))},
                return_when=asyncio.FIRST_COMPLETED,
            )
        except (OSError, asyncio.CancelledError):
            return
        finally:
            for end in (writer, there):
                if end is not None:
                    self._ends.discard(end)
                    end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            return
