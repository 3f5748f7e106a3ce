"""Reads on PostgreSQL: short ones in a few threads, each with a connection of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

import psycopg

from servery.core.errors import Overloaded
from servery.store.connection import Connection
from servery.store.limits import StoreLimits
from servery.store.postgresql.connection import PostgresqlConnection, connect
from servery.store.postgresql.lines import Lines

T = TypeVar("T")

_AWAY: Final = "The database does not answer, please try again."


class PostgresqlReaders:
    """Connections that cannot write. Those for short reads are kept, and made anew when they are lost."""

    def __init__(self, url: str, limits: StoreLimits) -> None:
        self._url = url
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.readers, thread_name_prefix="servery-store-reader")
        self._of_thread = threading.local()
        self._opened: set[PostgresqlConnection] = set()
        self._in_turn = threading.Lock()
        self._lines = Lines()

    def connection(self) -> PostgresqlConnection:
        """The calling thread's connection. Raises psycopg.Error."""
        known: PostgresqlConnection | None = getattr(self._of_thread, "connection", None)
        if known is not None and not known.is_lost:
            return known
        if known is not None:
            self._let_go(known)
        fresh = self._of_thread.connection = connect(
            self._url,
            name="servery-reader",
            connect_timeout_s=self._limits.connect_timeout_s,
            statement_timeout_s=self._limits.read_timeout_s,
            read_only=True,
            lines=self._lines,
        )
        with self._in_turn:
            self._opened.add(fresh)
        return fresh

    async def look_up(self, read: Callable[[Connection], T]) -> T:
        """Run ``read`` in one of the threads. Raises Overloaded when the database does not answer in time."""
        reading = asyncio.get_running_loop().run_in_executor(self._threads, self._read, read)
        try:
            async with asyncio.timeout(self._limits.read_timeout_s):
                return await reading
        except (psycopg.OperationalError, TimeoutError) as error:
            raise Overloaded(_AWAY, retry_after_s=1.0) from error

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection of its own, in a transaction that sees one state. Raises Overloaded when there is none to be
        had."""
        try:
            connection = connect(
                self._url,
                name="servery-snapshot",
                connect_timeout_s=self._limits.connect_timeout_s,
                read_only=True,
                lines=self._lines,
            )
        except psycopg.OperationalError as error:
            raise Overloaded(_AWAY, retry_after_s=1.0) from error
        try:
            connection.script("SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ")
            yield connection
        except psycopg.OperationalError as error:
            raise Overloaded(_AWAY, retry_after_s=1.0) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Whoever still reads, in whichever thread, hears that the connection is lost: the process could not end before
        a database that hangs has answered."""
        self._lines.cut()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connection in list(self._opened):
            self._let_go(connection)

    def _let_go(self, connection: PostgresqlConnection) -> None:
        connection.close()
        with self._in_turn:
            self._opened.discard(connection)

    def _read(self, read: Callable[[Connection], T]) -> T:
        """Once more with a new connection when a kept one turns out to be lost."""
        connection = self.connection()
        try:
            return read(connection)
        except psycopg.OperationalError:
            if not connection.is_lost:
                raise
        return read(self.connection())
