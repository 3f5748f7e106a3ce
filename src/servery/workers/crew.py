"""The supervisor's side of its workers: started, told of engines, started again, and asked to end."""

import asyncio
import contextlib
import signal
import subprocess
import sys

from servery.fleet.child_process import end_child
from servery.fleet.replica_news import ReplicaNews
from servery.fleet.share import Share
from servery.settings import Settings
from servery.telemetry.announcer import Announcer
from servery.workers.worker_order import WorkerOrder, written

_MODULE = "servery.workers.worker"
_FIRST_BACKOFF_S = 0.2
_MAX_BACKOFF_S = 5.0
_SETTLED_S = 30.0
_AFTER_DRAIN_S = 30.0
"""What a worker may take beyond the time in which it drains: it waits a while for a database that is away, and then
hands to its spool what it could not write."""


class Crew:
    """``count`` workers on the port that ``settings`` name, for as long as ``run`` is awaited."""

    def __init__(self, settings: Settings, *, count: int, announcer: Announcer) -> None:
        self._settings = settings
        self._count = count
        self._announcer = announcer
        self._news: dict[str, ReplicaNews] = {}
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ready: set[int] = set()
        self._all_ready = asyncio.Event()

    async def run(self) -> None:
        """Ends by being cancelled, when all workers have ended in good order or have used up their time to."""
        async with asyncio.TaskGroup() as group:
            for index in range(self._count):
                group.create_task(self._keep(index), name=f"worker {index}")

    async def wait_until_ready(self) -> None:
        """Return once every worker has been ready."""
        await self._all_ready.wait()

    def tell(self, news: ReplicaNews) -> None:
        """All workers hear of it, those too that start later."""
        self._news[news.replica] = news
        for process in self._processes.values():
            _write(process, written(news))

    def hurry(self) -> None:
        """Workers that are ending cut off what they still serve."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    async def _keep(self, index: int) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = _FIRST_BACKOFF_S
        while True:
            started_s = loop.time()
            status = await self._live_once(index)
            self._announcer.say(f"  worker {index} ended with status {status}; another is started")
            if loop.time() - started_s > _SETTLED_S:
                backoff_s = _FIRST_BACKOFF_S
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)

    async def _live_once(self, index: int) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,  # no session of its own: docs/decisions/0029
        )
        assert process.stdout is not None, "a worker tells when it is ready"
        self._processes[index] = process
        try:
            order = WorkerOrder(settings=self._settings, share=Share(index=index, count=self._count))
            _write(process, written(order) + b"".join(map(written, self._news.values())))
            if await process.stdout.readline():
                self._ready.add(index)
            if len(self._ready) == self._count:
                self._all_ready.set()
            return await process.wait()
        finally:
            await end_child(process, timeout_s=self._settings.drain_timeout_s + _AFTER_DRAIN_S)
            del self._processes[index]


def _write(process: asyncio.subprocess.Process, lines: bytes) -> None:
    assert process.stdin is not None, "a worker is told by its standard input"
    if not process.stdin.is_closing():
        process.stdin.write(lines)
