"""A connection of PostgreSQL's driver in the shape that repositories know."""

import functools
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Final

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.pq import TransactionStatus

from servery.store.connection import Cursor, Parameters
from servery.store.dialect import to_postgresql
from servery.store.postgresql.lines import Lines
from servery.store.sql import Query

SCHEMA: Final = "servery"


class _WholeNumber(Loader):
    """Sums of integers come as NUMERIC. All of them are whole."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_loader("numeric", _WholeNumber)
    return adapters


class _Context:
    """How values are turned into SQL's and back (psycopg's AdaptContext)."""

    adapters = _adapters()
    connection = None


class _PipelinedCursor(psycopg.Cursor[Any]):
    """In a pipeline the number of rows is not known before the server has answered."""

    @property
    def rowcount(self) -> int:
        self._fetch_pipeline()
        return super().rowcount


class PostgresqlConnection:
    """``connection.Connection`` over psycopg. Statements outside a transaction commit by themselves."""

    __slots__ = ("_line", "_lines", "raw")

    def __init__(self, raw: psycopg.Connection[Any], lines: Lines) -> None:
        self.raw = raw
        self._lines = lines
        self._line = lines.add(raw)

    def pipeline(self) -> AbstractContextManager[object]:
        """Within the block, statements are sent without waiting for the answers to those before: that is done by
        whoever fetches rows or asks for their number, and at the block's end. The error of a statement is raised
        there, and the server passes over all that was sent after it."""
        return self.raw.pipeline()

    @property
    def in_transaction(self) -> bool:
        """False when the connection is lost, and with it the transaction."""
        return not self.raw.closed and self.raw.info.transaction_status in _IN_TRANSACTION

    @property
    def is_lost(self) -> bool:
        return self.raw.closed

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        return self.raw.execute(_text(sql), parameters)

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Cursor:
        cursor = self.raw.cursor()
        cursor.executemany(_text(sql), list(parameters))
        return cursor

    def script(self, sql: str) -> None:
        """Several statements without parameters, in one round trip."""
        self.raw.execute(sql, prepare=False)

    def close(self) -> None:
        self._lines.remove(self._line)
        self.raw.close()


_IN_TRANSACTION: Final = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


def connect(
    url: str,
    *,
    name: str,
    connect_timeout_s: float,
    statement_timeout_s: float = 0.0,
    read_only: bool = False,
    lines: Lines | None = None,
) -> PostgresqlConnection:
    """A connection whose commits are durable and whose names are looked for in Servery's schema. ``name`` is what the
    server's list of sessions shows. ``statement_timeout_s`` 0: none. ``lines``: by which it can be cut. Raises
    psycopg.Error.

    A peer that vanishes is noticed within ten seconds or so, and a session that stops half way in a transaction is
    ended by the server.
    """
    lines = lines or Lines()
    if lines.are_cut:
        raise psycopg.OperationalError("the gateway lets go of its database")
    raw = psycopg.connect(
        url,
        autocommit=True,
        context=_Context(),
        cursor_factory=_PipelinedCursor,
        application_name=name,
        connect_timeout=max(2, round(connect_timeout_s)),  # libpq takes whole seconds, and no less than two
        keepalives=1,
        keepalives_idle=4,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )
    connection = PostgresqlConnection(raw, lines)
    try:
        _set_up(connection, statement_timeout_s=statement_timeout_s, read_only=read_only)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _set_up(connection: PostgresqlConnection, *, statement_timeout_s: float, read_only: bool) -> None:
    connection.raw.execute(
        """
        SELECT set_config('search_path', %s, false),
               set_config('statement_timeout', %s, false),
               set_config('idle_in_transaction_session_timeout', '10s', false),
               set_config('default_transaction_read_only', %s, false),
               set_config('synchronous_commit',
                          CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                               ELSE current_setting('synchronous_commit') END, false)
        """,
        (SCHEMA, str(round(statement_timeout_s * 1_000)), "on" if read_only else "off"),
    )


def _text(sql: str) -> str:
    return sql.postgresql if isinstance(sql, Query) else _translated(sql)


@functools.lru_cache(maxsize=256)
def _translated(sql: str) -> str:
    return to_postgresql(sql)
