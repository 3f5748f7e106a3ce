"""The writer of one gateway on PostgreSQL: a transaction is carried out exactly once, whatever happens on the way.

A COMMIT whose answer is lost was carried out or not; only the server knows. So each transaction also writes its number
into the gateway's own row of the table ``writers``:

    BEGIN, writers[gateway] = n     ...     COMMIT  --x--  the connection is lost
    a new connection: the old session is ended; writers[gateway] = n?   yes: it was committed
                                                                        no:  all of it is run again

A round trip takes longer than most statements, so that all of this is sent in a pipeline: the answers that nobody asks
for are read at the end. A COMMIT behind a statement that failed is passed over by the server.

While the database is away the writer tries again and again; how long callers wait is decided by ``GroupCommit``.
"""

import math
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Final

import psycopg

from servery.store.connection import Cursor, Parameters
from servery.store.limits import StoreLimits
from servery.store.postgresql.connection import PostgresqlConnection, connect
from servery.store.postgresql.lines import Lines
from servery.store.transaction import Attempt, OpenTransaction, TransactionFailed

_FIRST_PAUSE_S: Final = 0.05
_PASSING: Final = frozenset({"08", "40", "53", "55", "57", "58"})
"""Classes of errors that pass: a connection, a deadlock, no resources, a lock, a server that stops or starts, an error
of its machine."""
_STANDBY: Final = "25006"
"""Nothing can be written: the server that took over is not yet the one that writes."""
_TRIES: Final = 5
"""Of errors that pass on a connection that stands."""

_MARK: Final = """
INSERT INTO writers (writer, last_commit) VALUES (%s, %s)
ON CONFLICT (writer) DO UPDATE SET last_commit = excluded.last_commit, seen_at = now()
"""


class PostgresqlWriter:
    """``transaction.Writer``. ``transact`` is for one thread; ``give_up`` may be called by any."""

    def __init__(self, url: str, limits: StoreLimits) -> None:
        """Raises psycopg.Error when the database cannot be reached."""
        self._url = url
        self._limits = limits
        self._name = secrets.token_hex(8)
        self._number = 0
        self._unsure = False  # whether transaction ``_number`` may have been committed
        self._until_s = math.inf
        self._lines = Lines()
        self._patience: threading.Timer | None = None
        self._connection: PostgresqlConnection | None = self._connected()
        self._connection.execute("DELETE FROM writers WHERE seen_at < now() - INTERVAL '7 days'")

    def transact(self, body: Callable[[OpenTransaction], None], *, in_parts: bool = False) -> Exception | None:
        """As ``Writer.transact``. Does not return while the database is away, until ``give_up``."""
        self._number += 1
        self._unsure = False
        tries, pause_s = 0, _FIRST_PAUSE_S
        while True:
            try:
                return self._try(body, in_parts=in_parts)
            except psycopg.Error as failure:
                lost = self._connection is None or self._connection.is_lost
                tries += 0 if lost else 1
                self._disconnect()
                if not (lost or _passes(failure)) or tries == _TRIES or time.monotonic() > self._until_s:
                    raise TransactionFailed("the database could not be written") from failure
            # Apart by chance, so that gateways do not all knock at once.
            time.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret hangs on it
            pause_s = min(2 * pause_s, self._limits.reconnect_pause_s)

    def give_up(self) -> None:
        """The platform is being closed: a database that is away, or takes a transaction and does not answer, is waited
        for no longer than a caller would."""
        if self._patience is None:
            self._until_s = time.monotonic() + self._limits.commit_timeout_s
            self._look_later()

    def close(self) -> None:
        """Leaves no row behind, if the database is there; rows that are left are removed after some days."""
        with Attempt():
            if self._connection is not None:
                self._connection.execute("DELETE FROM writers WHERE writer = ?", (self._name,))
        if self._patience is not None:
            self._patience.cancel()
        self._disconnect()

    def _look_later(self) -> None:
        self._patience = threading.Timer(self._limits.commit_timeout_s, self._look, (self._number,))
        self._patience.daemon = True
        self._patience.start()

    def _look(self, number: int) -> None:
        """Whether the transaction of that number still waits for an answer."""
        if self._number == number:
            self._lines.cut()
        else:
            self._look_later()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, body: Callable[[OpenTransaction], None], *, in_parts: bool) -> Exception | None:
        """Once. Raises psycopg.Error when the transaction, not just something in it, has failed."""
        if self._connection is None:
            self._connection = self._connected()
        connection = self._connection
        if self._unsure and self._was_committed(connection):
            return None
        self._unsure = False
        with Attempt() as attempt, nullcontext() if in_parts else connection.pipeline():
            connection.raw.execute("BEGIN", prepare=False)
            connection.raw.execute(_MARK, (self._name, self._number))
            body(_InParts(connection) if in_parts else connection)
            self._unsure = True
            commit = connection.raw.execute("COMMIT", prepare=False)
        if attempt.error is not None:
            return self._undone(connection, attempt.error)
        self._unsure = False
        if commit.statusmessage != "COMMIT":  # PostgreSQL's answer to the COMMIT of a transaction that has failed
            raise TransactionFailed("the transaction was rolled back")
        return None

    def _undone(self, connection: PostgresqlConnection, raised: Exception) -> Exception:
        """What failed in a transaction that is undone now; raises it when it is the transaction as a whole, of which
        then only a new connection can tell whether it was committed."""
        error = _cause(raised)
        if isinstance(error, psycopg.Error) and not connection.in_transaction:
            raise error
        self._unsure = False  # what is still open was not committed
        if isinstance(error, TransactionFailed) or (isinstance(error, psycopg.Error) and _passes(error)):
            raise error
        connection.script("ROLLBACK")
        return error

    def _was_committed(self, connection: PostgresqlConnection) -> bool:
        """Waits for the old session's locks, which ``_connected`` has ended: afterwards nothing is in the balance."""
        row = connection.execute(
            "SELECT last_commit FROM writers WHERE writer = ? FOR UPDATE", (self._name,)
        ).fetchone()
        return row is not None and row[0] == self._number

    def _connected(self) -> PostgresqlConnection:
        name = f"servery-writer-{self._name}"
        connection = connect(
            self._url,
            name=name,
            connect_timeout_s=self._limits.connect_timeout_s,
            statement_timeout_s=self._limits.statement_timeout_s,
            lines=self._lines,
        )
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = ? AND usename = current_user AND pid <> pg_backend_pid()",
                (name,),
            )
            connection.execute(
                "INSERT INTO writers (writer, last_commit) VALUES (?, 0) ON CONFLICT DO NOTHING", (self._name,)
            )
        except psycopg.Error:
            connection.close()
            raise
        return connection


class _InParts:
    """A transaction whose savepoints keep what fails in them, but not an error that passes: a deadlock, say, is none of
    a part's own, and all of the transaction is to be run again."""

    __slots__ = ("_connection", "_is_given_up")

    def __init__(self, connection: PostgresqlConnection) -> None:
        self._connection = connection
        self._is_given_up = False

    @property
    def in_transaction(self) -> bool:
        return not self._is_given_up and self._connection.in_transaction

    def execute(self, sql: str, parameters: Parameters = (), /) -> Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except psycopg.Error as error:
            self._is_given_up = _passes(error)
            raise

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Cursor:
        try:
            return self._connection.executemany(sql, parameters)
        except psycopg.Error as error:
            self._is_given_up = _passes(error)
            raise


def _cause(error: Exception) -> Exception:
    """The driver's error behind a transaction that was lost in one of its parts."""
    if isinstance(error, TransactionFailed) and isinstance(error.__cause__, psycopg.Error):
        return error.__cause__
    return error


def _passes(error: psycopg.Error) -> bool:
    return error.sqlstate is not None and (error.sqlstate[:2] in _PASSING or error.sqlstate == _STANDBY)
