"""What is particular to PostgreSQL: lost connections, many gateways, notifications."""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest
from tests.fakes.stuck_writer import stuck_writer
from tests.postgresql_server import PostgresqlServer

from servery.core.errors import InternalError, Overloaded, PreconditionFailed
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.limits import StoreLimits

PATIENT = StoreLimits(commit_timeout_s=60.0, stall_s=60.0, read_timeout_s=20.0, reconnect_pause_s=0.05)
QUICK = StoreLimits(commit_timeout_s=3.0, stall_s=0.1, read_timeout_s=2.0, reconnect_pause_s=0.05)
END_WRITERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'servery-writer-%'
"""


@pytest.fixture
def url(postgresql: PostgresqlServer) -> str:
    return postgresql.lend()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database.open(url, limits=PATIENT) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)"))
        yield database


def owner(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("SET search_path = servery")
    return connection


def insert(connection: Connection, texts: Sequence[str]) -> list[None]:
    connection.executemany("INSERT INTO notes VALUES (?)", [(text,) for text in texts])
    return [None] * len(texts)


def notes(connection: Connection) -> list[str]:
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY text").fetchall()]


async def test_sessions_wait_for_the_disk_and_for_nobody_for_ever(database: Database) -> None:
    """Whatever the server's own settings are (the tests' server does not wait for its disk)."""
    names = ("synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout", "search_path")

    def settings(connection: Connection) -> list[str]:
        return [connection.execute(f"SELECT current_setting('{name}')").fetchone()[0] for name in names]

    assert await database.write(settings) == ["on", "20s", "10s", "servery"]
    assert await database.look_up(settings) == ["on", "20s", "10s", "servery"]


async def test_the_readers_cannot_write(database: Database) -> None:
    """A read that writes by mistake fails."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await database.look_up(lambda connection: insert(connection, ["a"]))


async def test_a_session_that_ends_in_the_midst_is_made_good(database: Database, url: str) -> None:
    """The server ends the writer's session within a transaction: it is run again, and everything stands once."""
    runs: list[int] = []

    def operation(connection: Connection) -> None:
        insert(connection, ["a"])
        runs.append(1)
        if len(runs) == 1:
            with owner(url) as other:
                other.execute(END_WRITERS)
        insert(connection, ["b"])

    await database.write(operation)
    assert len(runs) == 2
    assert await database.look_up(notes) == ["a", "b"]


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_commit_whose_answer_is_lost_is_carried_out_once(
    database: Database, url: str, monkeypatch: pytest.MonkeyPatch, carried_out: bool
) -> None:
    """Whether the server had carried it out is asked, not guessed; the operation could not be run twice."""
    whole, answers = psycopg.Connection.execute, iter(["lost"])

    def execute(connection: "psycopg.Connection[object]", query: str, *arguments: object, **options: object) -> object:
        if query == "COMMIT" and next(answers, None) == "lost":
            if carried_out:
                whole(connection, query, *arguments, **options)
            with owner(url) as other:
                other.execute(END_WRITERS)
        return whole(connection, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    await database.write_grouped(insert, "a")
    assert next(answers, None) is None, "the answer was lost"
    assert await database.look_up(notes) == ["a"]


async def test_who_fails_unheard_fails_alone(database: Database) -> None:
    """In a pipeline the error of a statement that nobody asks about comes with the COMMIT: the COMMIT is not carried
    out, and the others of the group are written without it."""
    fails = database.write(lambda connection: connection.execute("INSERT INTO notes VALUES (?, ?)", ("x", "y")))
    outcomes = await asyncio.gather(
        database.write_grouped(insert, "a"), fails, database.write_grouped(insert, "b"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), psycopg.errors.SyntaxError, type(None)]
    assert await database.look_up(notes) == ["a", "b"]


async def test_a_deadlock_is_nobody_s_fault(database: Database, url: str) -> None:
    """Also where a group is carried out in parts, because one of it has failed: the others are run again, all of them,
    until none waits for another gateway that waits for it."""
    await database.write(lambda connection: insert(connection, ["first", "second"]))
    locked, runs, free = threading.Event(), list[str](), threading.Event()

    def fails(connection: Connection) -> None:
        raise ValueError("by itself")

    def locks_both(connection: Connection) -> None:
        runs.append("run")
        connection.execute("UPDATE notes SET text = text WHERE text = ?", ("first",))
        locked.set()
        connection.execute("UPDATE notes SET text = text WHERE text = ?", ("second",))

    def locks_both_the_other_way() -> None:
        with owner(url) as other, other.transaction():
            other.execute("SET deadlock_timeout = '1h'")  # so that it is not the one who gives way
            other.execute("UPDATE notes SET text = text WHERE text = 'second'")
            free.set()
            assert locked.wait(60)
            other.execute("UPDATE notes SET text = text WHERE text = 'first'")

    other = asyncio.create_task(asyncio.to_thread(locks_both_the_other_way))
    assert await asyncio.to_thread(free.wait, 60)
    async with stuck_writer(database):
        both = asyncio.gather(database.write(fails), database.write(locks_both), return_exceptions=True)
        await asyncio.sleep(0)
    assert [type(outcome) for outcome in await both] == [ValueError, type(None)]
    await other
    assert len(runs) > 1


async def test_what_is_sent_at_once_is_answered_in_order(database: Database) -> None:
    """Rows and their number belong to the statement that they are asked of, whatever was sent behind it."""

    def operation(connection: Connection) -> tuple[int, int, list[str]]:
        first = connection.execute("INSERT INTO notes VALUES (?), (?)", ("a", "b"))
        found = connection.execute("SELECT text FROM notes ORDER BY text")
        second = connection.execute("DELETE FROM notes WHERE text = ?", ("a",))
        return second.rowcount, first.rowcount, [text for (text,) in found.fetchall()]

    assert await database.write(operation) == (1, 2, ["a", "b"])
    assert await database.look_up(notes) == ["b"]


async def test_what_failed_by_itself_is_not_tried_again_for_ever(database: Database) -> None:
    """Nonsense is told to whoever asked for it, and the next one is served."""
    with pytest.raises(psycopg.errors.UndefinedTable):
        await database.write(lambda connection: connection.execute("INSERT INTO nothing VALUES (1)"))
    await database.write_grouped(insert, "a")
    assert await database.look_up(notes) == ["a"]


async def test_many_gateways_may_start_at_once(postgresql: PostgresqlServer) -> None:
    """On a database without a schema: they take turns, and each sees the others' work."""
    url, revision = postgresql.new_database(), ConfigurationRevision()

    async def gateway() -> None:
        database = await asyncio.to_thread(Database.open, url)
        async with database:
            for _ in range(5):
                await database.write(revision.bump)

    await asyncio.gather(*(gateway() for _ in range(4)))
    async with Database.open(url) as database:
        assert await database.look_up(revision.current) == 1 + 4 * 5
        assert await database.look_up(lambda connection: connection.execute("SELECT * FROM writers").fetchall() != [])
    with owner(url) as other:
        assert other.execute("SELECT * FROM writers").fetchall() == [], "an orderly end leaves no row"


async def test_changes_are_told_to_other_gateways(database: Database, url: str) -> None:
    """Long before the interval at which they would look by themselves."""
    async with Database.open(url) as other:
        await other.wait_configuration_changed(timeout_s=5.0)  # the first look
        waiting = asyncio.create_task(other.wait_configuration_changed(timeout_s=60.0))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await database.write(ConfigurationRevision().bump)
        async with asyncio.timeout(40):
            await waiting


async def test_a_newer_database_is_refused(url: str) -> None:
    """An older version of the software does not touch what a newer one wrote, and says why."""
    async with Database.open(url) as database:
        await database.write(lambda connection: connection.execute("INSERT INTO applied_migrations VALUES (999, 'x')"))
    with pytest.raises(PreconditionFailed, match="version 999"):
        Database.open(url)


async def test_what_is_not_there_cannot_be_opened(postgresql: PostgresqlServer) -> None:
    """In a sentence for the operator."""
    with pytest.raises(Overloaded, match="PostgreSQL cannot be reached"):
        Database.open(postgresql.url("there_is_no_such_database"))


async def test_a_role_needs_no_more_than_its_own_schema(postgresql: PostgresqlServer) -> None:
    """One that may not make schemas is content with one that was made for it; else it is told so."""
    url = postgresql.new_database()
    as_role = url.replace("servery@", "modest@")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS modest")
        admin.execute("CREATE ROLE modest LOGIN")
        with pytest.raises(PreconditionFailed, match="may not do"):
            Database.open(as_role)
        admin.execute("CREATE SCHEMA servery AUTHORIZATION modest")
    async with Database.open(as_role) as database:
        await database.write(ConfigurationRevision().bump)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP OWNED BY modest CASCADE")
        admin.execute("DROP ROLE modest")


async def test_the_loop_goes_on_while_the_database_hangs(database: Database, url: str) -> None:
    """Reads end with a refusal, writes too, and nothing keeps the event loop; once it is back, all works again."""
    beats = itertools.count()

    async def beat() -> None:
        while True:
            next(beats)
            await asyncio.sleep(0.01)

    async with Database.open(url, limits=QUICK) as hurried:
        beating = asyncio.create_task(beat())
        with owner(url) as other, other.transaction():
            other.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
            read, written = await asyncio.gather(
                hurried.look_up(notes), hurried.write_grouped(insert, "refused"), return_exceptions=True
            )
            assert (type(read), type(written)) == (Overloaded, Overloaded)
            assert hurried.is_stalled
        beating.cancel()
        assert next(beats) > 5, "a loop that is kept by a read and a write beats before, between and after"
    await database.write_grouped(insert, "later")
    assert "later" in await database.look_up(notes)


async def cancelled_when_it_ends(waiting: asyncio.Task[object], end: Callable[[], object]) -> bool:
    """Cancel the task in the very round of the event loop in which what it waits for comes about."""
    loop = asyncio.get_running_loop()

    def both() -> None:
        end()
        time.sleep(0.5)  # another thread tells the loop meanwhile
        loop.call_soon(waiting.cancel)

    loop.call_soon(both)
    await asyncio.wait({waiting})
    return waiting.cancelled()


async def test_a_read_that_ends_as_it_is_cancelled_is_cancelled(database: Database) -> None:
    """Else whoever ends the task that reads waits for ever."""
    has_begun, may_end = threading.Event(), threading.Event()

    def read(connection: Connection) -> list[str]:
        has_begun.set()
        may_end.wait(60)
        return notes(connection)

    reading = asyncio.create_task(database.look_up(read))
    await asyncio.to_thread(has_begun.wait)
    assert await cancelled_when_it_ends(reading, may_end.set)


async def test_a_change_that_comes_as_who_waits_is_cancelled_is_missed(database: Database, url: str) -> None:
    """As is said of a read: it does not hold up the end."""
    await database.wait_configuration_changed(timeout_s=30.0)  # at the first look
    waiting = asyncio.create_task(database.wait_configuration_changed(timeout_s=30.0))
    await asyncio.sleep(0)
    with owner(url) as other:
        assert await cancelled_when_it_ends(
            waiting, lambda: other.execute("UPDATE configuration_revision SET revision = revision + 1")
        )


HANGING = StoreLimits(commit_timeout_s=0.5, stall_s=0.1, statement_timeout_s=600.0, read_timeout_s=600.0)


@contextmanager
def hanging(url: str, table: str) -> Iterator[None]:
    """For the block, statements on the table get no answer, and none of the server's time limits ends them."""
    with owner(url) as other, other.transaction():
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def test_a_close_does_not_wait_for_a_database_that_hangs(database: Database, url: str) -> None:
    """What was to be written is told to have failed, also where nobody waits for it, and the writer's thread ends."""
    lost: list[Exception] = []
    hurried = Database.open(url, limits=HANGING, on_lost_write=lost.append)
    with hanging(url, "notes"):
        writing = asyncio.create_task(hurried.write_grouped(insert, "refused"))
        hurried.write_soon(lambda connection: connection.execute("INSERT INTO notes VALUES ('lost')"))
        await asyncio.sleep(0)
        async with asyncio.timeout(300):
            await hurried.close()
        with pytest.raises(Overloaded):
            await writing
    assert [type(error) for error in lost] == [InternalError]


async def test_a_close_does_not_wait_for_its_farewell(database: Database, url: str) -> None:
    """The row of a writer that has gone is removed later by another."""
    hurried = Database.open(url, limits=HANGING)
    with hanging(url, "writers"):
        async with asyncio.timeout(300):
            await hurried.close()


@pytest.mark.parametrize("is_long", [False, True])
async def test_a_close_does_not_wait_for_reads(database: Database, url: str, *, is_long: bool) -> None:
    """The threads of those who read end, for which the end of a process waits."""
    hurried, ended = Database.open(url, limits=HANGING), threading.Event()

    def read(connection: Connection) -> None:
        try:
            connection.execute("SELECT count(*) FROM notes").fetchall()
        finally:
            ended.set()

    with hanging(url, "notes"):
        reading = asyncio.create_task(hurried.read(read) if is_long else hurried.look_up(read))
        with owner(url) as other:
            while not waiting_for_locks(other):  # noqa: ASYNC110 - another process tells
                await asyncio.sleep(0.01)
        await hurried.close()
        assert await asyncio.to_thread(ended.wait, 300)
        with pytest.raises(Overloaded):
            await reading


def waiting_for_locks(connection: "psycopg.Connection[tuple[object, ...]]") -> int:
    (row,) = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchall()
    return int(str(row[0]))
