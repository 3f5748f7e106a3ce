"""Hearing of configuration changes: a thread listens, and reads the revision now and then in case it missed one."""

import asyncio
import threading
import time
from typing import Final

import psycopg

from servery.core.tell_loop import tell_loop
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.limits import StoreLimits
from servery.store.postgresql.connection import PostgresqlConnection, connect

_CHANNEL: Final = "servery_configuration"
_ROUND_S: Final = 0.5
"""How long the thread may take to notice that it is no longer needed."""


class ConfigurationListener:
    """``wait`` may be called by several tasks of one event loop."""

    def __init__(self, url: str, limits: StoreLimits) -> None:
        self._url = url
        self._limits = limits
        self._revision = ConfigurationRevision()
        self._waiting: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    async def wait(self, *, timeout_s: float) -> None:
        """Returns when the configuration may have changed, at the latest after ``timeout_s``."""
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._loop = loop
            self._thread = threading.Thread(target=self._run, name="servery-store-listener", daemon=True)
            self._thread.start()
        changed = loop.create_future()
        self._waiting.add(changed)
        try:
            async with asyncio.timeout(timeout_s):
                await changed
        except TimeoutError:
            return
        finally:
            self._waiting.discard(changed)

    def close(self) -> None:
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                connection = connect(
                    self._url,
                    name="servery-listener",
                    connect_timeout_s=self._limits.connect_timeout_s,
                    statement_timeout_s=self._limits.read_timeout_s,
                )
            except psycopg.Error:
                self._closing.wait(self._limits.reconnect_pause_s)
                continue
            try:
                self._listen(connection)
            except psycopg.Error:
                self._closing.wait(self._limits.reconnect_pause_s)
            finally:
                connection.close()

    def _listen(self, connection: PostgresqlConnection) -> None:
        """Until closed, or the connection is lost (raises psycopg.Error). What changed while nobody listened is
        noticed at once."""
        connection.script(f"LISTEN {_CHANNEL}")
        seen, read_s = -1, 0.0
        while not self._closing.is_set():
            told = any(True for _ in connection.raw.notifies(timeout=_ROUND_S, stop_after=1))
            if told or time.monotonic() - read_s > self._limits.revision_interval_s:
                read_s = time.monotonic()
                current = self._revision.current(connection)
                if current != seen:
                    seen = current
                    self._tell()

    def _tell(self) -> None:
        assert self._loop is not None, "whoever waits runs on a loop"
        tell_loop(self._loop, self._wake)

    def _wake(self) -> None:
        for changed in self._waiting:
            if not changed.done():
                changed.set_result(None)
