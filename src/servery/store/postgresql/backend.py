"""PostgreSQL: the one thing that gateways share."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import psycopg

from servery.core.errors import Overloaded
from servery.store.connection import Connection
from servery.store.dialect import Dialect
from servery.store.limits import StoreLimits
from servery.store.migrations import packaged_migrations
from servery.store.postgresql.connection import connect
from servery.store.postgresql.listener import ConfigurationListener
from servery.store.postgresql.readers import PostgresqlReaders
from servery.store.postgresql.schema import migrate
from servery.store.postgresql.writer import PostgresqlWriter

T = TypeVar("T")


class PostgresqlBackend:
    """The writer, the readers and the listener of one gateway (``backend.Backend``)."""

    def __init__(self, url: str, limits: StoreLimits) -> None:
        """Connect, and bring the schema up to date. Raises Overloaded when the database cannot be reached, and
        PreconditionFailed as ``migrate`` does."""
        try:
            connection = connect(url, name="servery-migrations", connect_timeout_s=limits.connect_timeout_s)
            try:
                migrate(connection, packaged_migrations(Dialect.POSTGRESQL))
            finally:
                connection.close()
            self.writer = PostgresqlWriter(url, limits)
        except psycopg.OperationalError as error:
            raise Overloaded(f"PostgreSQL cannot be reached: {error}") from error
        self._readers = PostgresqlReaders(url, limits)
        self._listener = ConfigurationListener(url, limits)

    @property
    def is_in_place(self) -> bool:
        """It tells by itself when it is not."""
        return True

    @property
    def reader(self) -> Connection:
        return self._readers.connection()

    async def look_up(self, read: Callable[[Connection], T]) -> T:
        return await self._readers.look_up(read)

    def snapshot(self) -> AbstractContextManager[Connection]:
        return self._readers.snapshot()

    async def wait_configuration_changed(self, *, timeout_s: float) -> None:
        await self._listener.wait(timeout_s=timeout_s)

    def close(self) -> None:
        self._listener.close()
        self._readers.close()
        self.writer.close()
