"""What a Database promises: durability, isolation, several processes."""

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from tests.child_environment import child_environment
from tests.refusals import SQL_ERRORS

from servery.core.errors import InternalError, Overloaded, PreconditionFailed
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.database import Database, Operation

WRITES_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from servery.store.connection import Connection
from servery.store.database import Database

async def main():
    database = Database.open(Path(sys.argv[1]))
    await database.write(lambda c: c.execute("CREATE TABLE notes (text TEXT) STRICT"))

    async def task(number):
        for turn in range(1_000_000):
            text = f"{number}-{turn}"
            await database.write(lambda c: c.execute("INSERT INTO notes VALUES (?)", (text,)))
            print(text, flush=True)

    await asyncio.gather(*(task(number) for number in range(20)))

asyncio.run(main())
"""

COUNTS_TO_150 = """
import asyncio, sys
from pathlib import Path
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.configuration_revision import ConfigurationRevision

async def main():
    revision = ConfigurationRevision()
    place = sys.argv[1]
    async with Database.open(place if place.startswith("postgresql:") else Path(place)) as database:
        for _ in range(150):
            await database.write(revision.bump)

asyncio.run(main())
"""


def start(program: str, path: Path | str) -> "subprocess.Popen[str]":
    environment = child_environment()
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )


def insert(text: str, connection: Connection) -> str:
    connection.execute("INSERT INTO notes VALUES (?)", (text,))
    return text


def inserting(text: str) -> Operation[str]:
    return partial(insert, text)


def notes(connection: Connection) -> set[str]:
    return {text for (text,) in connection.execute("SELECT text FROM notes").fetchall()}


async def test_a_write_returns_its_result_and_is_read_at_once(database: Database) -> None:
    """What was awaited is seen by the next read."""
    assert await database.write(inserting("a")) == "a"
    assert notes(database.reader) == {"a"}


async def test_files_are_private(path: Path, sqlite_database: Database) -> None:
    """Nobody but the owner may look into the directory, the database or its log."""
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) > 1
    assert sqlite_database.queued_writes == 0


async def test_the_reader_cannot_write(sqlite_database: Database) -> None:
    """A read that writes by mistake fails."""
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        insert("a", sqlite_database.reader)


async def test_a_commit_waits_for_the_disk(sqlite_database: Database) -> None:
    """The writer uses a write-ahead log with full synchronisation, and enforces foreign keys."""

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await sqlite_database.write(pragmas) == ["wal", 2, 1, 1]


async def test_a_snapshot_does_not_move(database: Database) -> None:
    """A long read sees one state, while writes go on beside it."""
    with database.snapshot() as connection:
        assert notes(connection) == set()
        await database.write(inserting("a"))
        assert notes(connection) == set()
    assert await database.read(notes) == {"a"}


async def test_each_snapshot_is_of_its_own_moment(database: Database) -> None:
    """One after the other, one inside the other, and after one that came to grief."""
    for known in ({"a"}, {"a", "b"}, {"a", "b", "c"}):
        await database.write(inserting(max(known)))
        with database.snapshot() as outer, database.snapshot() as inner:
            assert outer is not inner
            assert notes(outer) == notes(inner) == known
        with pytest.raises(ZeroDivisionError):
            await database.read(lambda connection: len(notes(connection)) // 0)


async def test_writes_are_refused_after_closing(place: Path | str) -> None:
    """Whoever comes too late is told so."""
    database = Database.open(place)
    await database.close()
    with pytest.raises(Overloaded):
        await database.write(lambda connection: None)
    with pytest.raises(Overloaded):
        database.write_soon(lambda connection: None)


async def test_closing_writes_what_nobody_waits_for(place: Path | str) -> None:
    """An orderly close loses nothing that was queued."""
    async with Database.open(place) as database:
        database.write_soon(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)"))
        for number in range(500):
            database.write_soon(inserting(str(number)))
    async with Database.open(place) as database:
        assert len(notes(database.reader)) == 500


async def test_lost_writes_reach_the_loop_by_default(place: Path | str) -> None:
    """Nobody waited and nobody listens: the event loop's exception handler hears of it."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    async with Database.open(place) as database:
        database.write_soon(inserting("there is no table"))
        await database.write(lambda connection: None)
    assert [isinstance(error, SQL_ERRORS) for error in told] == [True]


async def test_a_locked_database_fails_the_group_and_then_recovers(path: Path, sqlite_database: Database) -> None:
    """Another process that will not let go makes writes fail with InternalError, not hang; later ones work."""
    await sqlite_database.write(lambda connection: connection.execute("PRAGMA busy_timeout = 50"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InternalError) as caught:
        await sqlite_database.write(inserting("a"))
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    other.execute("ROLLBACK")
    other.close()
    await sqlite_database.write(inserting("b"))
    assert notes(sqlite_database.reader) == {"b"}


def test_acknowledged_writes_survive_kill_9(path: Path) -> None:
    """Every write that a killed process had acknowledged is in the database, which is whole."""
    child = start(WRITES_UNTIL_KILLED, path)
    assert child.stdout is not None
    acknowledged = {child.stdout.readline().strip() for _ in range(2_000)}
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read()
    acknowledged.update(rest[: rest.rfind("\n") + 1].split())
    child.stdout.close()
    child.wait()
    with sqlite3.connect(path) as connection:
        assert acknowledged - notes(connection) == set()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_processes_share_one_database(place: Path | str) -> None:
    """Processes that create the database at the same time, and then write at the same time, lose nothing, and each
    sees what the others did."""
    children = [await asyncio.to_thread(start, COUNTS_TO_150, place) for _ in range(3)]
    revision = ConfigurationRevision()
    async with Database.open(place) as database:
        for _ in range(150):
            await database.write(revision.bump)
        for child in children:
            assert await asyncio.to_thread(child.wait) == 0
            assert child.stdout is not None
            child.stdout.close()
        assert revision.current(database.reader) == 1 + 4 * 150


async def test_a_newer_database_is_refused(path: Path) -> None:
    """An older version of the software does not touch what a newer one wrote, and says why."""
    async with Database.open(path) as database:
        await database.write(lambda connection: connection.execute("INSERT INTO applied_migrations VALUES (999, 'x')"))
    with pytest.raises(PreconditionFailed, match="version 999"):
        Database.open(path)


async def test_a_full_disk_is_not_held_against_what_was_asked(sqlite_database: Database) -> None:
    """Alone in its group or not, a write that finds no room says that the database failed: it may be tried again."""
    database = sqlite_database
    (pages,) = database.reader.execute("PRAGMA page_count").fetchone()

    def limit(connection: Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    def long(connection: Connection) -> None:
        connection.execute("INSERT INTO notes VALUES (?)", ("x" * 100_000,))

    await database.write(limit)
    for count in (1, 2):
        outcomes = await asyncio.gather(*(database.write(long) for _ in range(count)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [InternalError] * count
    await database.write(lambda connection: connection.execute("INSERT INTO notes VALUES ('short')"))
