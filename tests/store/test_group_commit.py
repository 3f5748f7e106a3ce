"""Group commit: who shares a transaction, who fails, who waits."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.refusals import INTEGRITY_ERRORS, SQL_ERRORS

from servery.core.errors import InternalError, Overloaded
from servery.store.connection import Connection
from servery.store.database import Database, Operation
from servery.store.group_commit import GroupCommit
from servery.store.limits import StoreLimits
from servery.store.transaction import OpenTransaction


class Gate:
    """An operation that keeps the writer busy until it is opened, so that what is queued meanwhile is one group."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self._entered.set()
        assert self._opened.wait(timeout=60)

    async def wait_entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 60)

    def open(self) -> None:
        self._opened.set()


class Inserting:
    """A group operation that remembers how many items it was handed."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, connection: Connection, texts: Sequence[str]) -> list[str]:
        self.sizes.append(len(texts))
        connection.executemany("INSERT INTO notes VALUES (?)", [(text,) for text in texts])
        return [text.upper() for text in texts]


async def closed_gate(database: Database) -> Gate:
    gate = Gate()
    database.write_soon(gate)
    await gate.wait_entered()
    return gate


async def spin() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def notes(database: Database) -> set[str]:
    return {text for (text,) in database.reader.execute("SELECT text FROM notes").fetchall()}


async def test_items_queued_together_are_written_together(database: Database) -> None:
    """While one group commits, the next one gathers; each item gets its own result."""
    inserting, gate = Inserting(), await closed_gate(database)
    writes = asyncio.gather(*(database.write_grouped(inserting, text) for text in "abcdef"))
    await spin()
    gate.open()
    assert await writes == list("ABCDEF")
    assert inserting.sizes == [6]


async def test_a_group_has_a_limit(place: Path | str) -> None:
    """No transaction takes more operations than the limit says."""
    async with Database.open(place, limits=StoreLimits(group_size=4)) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)"))
        inserting, gate = Inserting(), await closed_gate(database)
        writes = asyncio.gather(*(database.write_grouped(inserting, text) for text in "abcdefghij"))
        await spin()
        gate.open()
        await writes
        assert inserting.sizes == [4, 4, 2]


async def test_commits_are_apart_while_several_write(place: Path | str) -> None:
    """Behind a group of several, also what comes when the writer has nothing to do waits for company; behind one that
    was alone it does not."""
    async with Database.open(place, limits=StoreLimits(gather_s=600.0)) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)"))
        inserting = Inserting()
        for text in "ab":
            await database.write_grouped(inserting, text)
        await asyncio.gather(*(database.write_grouped(inserting, text) for text in "cd"))
        writes = []
        for text in "ef":
            writes.append(asyncio.ensure_future(database.write_grouped(inserting, text)))
            await asyncio.to_thread(lambda: None)
            await spin()
        assert database.queued_writes == 2, "they wait for company"
    assert await asyncio.gather(*writes) == ["E", "F"]
    assert inserting.sizes == [1, 1, 2, 2], "closing the database waits for nobody"


async def test_company_that_has_come_is_not_waited_for(place: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four that write again and again: the whole time is waited once, to see that there are no more."""
    async with Database.open(place, limits=StoreLimits(gather_s=5.0, commit_timeout_s=600.0)) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)"))
        inserting = Inserting()
        now_s = asyncio.get_running_loop().time()
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s)
        for four, passes_s in (("abcd", 0.0), ("efgh", 6.0), ("ijkl", 0.0), ("mnop", 0.0)):
            writes = asyncio.gather(*(database.write_grouped(inserting, text) for text in four))
            await spin()
            now_s += passes_s
            await writes
    assert inserting.sizes == [4, 4, 4, 4]


async def test_a_failing_item_fails_alone(database: Database) -> None:
    """Of many items handed over together, exactly those fail that must; the others are written once."""
    inserting, gate = Inserting(), await closed_gate(database)
    texts = ["a", "b", "a", "c"]
    writes = asyncio.gather(*(database.write_grouped(inserting, text) for text in texts), return_exceptions=True)
    await spin()
    gate.open()
    results = await writes
    assert [isinstance(result, INTEGRITY_ERRORS) or result for result in results] == ["A", "B", True, "C"]
    assert notes(database) == {"a", "b", "c"}


async def test_a_failing_operation_is_undone_alone(database: Database) -> None:
    """An operation that wrote and then raised leaves nothing, and its neighbours' work stands."""

    def inserting(text: str) -> Operation[None]:
        def operation(connection: Connection) -> None:
            connection.execute("INSERT INTO notes VALUES (?)", (text,))
            if text == "bad":
                raise LookupError("changed its mind")

        return operation

    gate = await closed_gate(database)
    writes = asyncio.gather(*(database.write(inserting(text)) for text in ("a", "bad", "b")), return_exceptions=True)
    await spin()
    gate.open()
    assert [type(result) for result in await writes] == [type(None), LookupError, type(None)]
    assert notes(database) == {"a", "b"}


async def test_a_failing_commit_fails_all(sqlite_database: Database) -> None:
    """When the transaction itself cannot be committed, everyone in it hears so and nothing is written."""

    def breaks_at_commit(connection: Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute(
            "INSERT INTO api_keys (key_id, account, display_name, prefix, created_ns, admin, secret_sha256) "
            "VALUES ('k', 'there is no such account', '', '', 0, 0, zeroblob(32))"
        )

    database = sqlite_database
    gate = await closed_gate(database)
    writes = asyncio.gather(
        database.write_grouped(Inserting(), "a"), database.write(breaks_at_commit), return_exceptions=True
    )
    await spin()
    gate.open()
    results = await writes
    assert [type(result) for result in results] == [InternalError, InternalError]
    assert results[0] is not results[1]
    assert notes(database) == set()
    await database.write_grouped(Inserting(), "b")
    assert notes(database) == {"b"}


async def test_a_transaction_that_is_gone_fails_all(sqlite_database: Database) -> None:
    """Errors by which SQLite undoes the whole transaction are not mistaken for one operation's own."""

    def rolls_back(connection: Connection) -> None:
        connection.execute("INSERT INTO notes VALUES ('x')")
        connection.execute("INSERT OR ROLLBACK INTO notes VALUES ('x')")

    database = sqlite_database
    gate = await closed_gate(database)
    writes = asyncio.gather(
        database.write_grouped(Inserting(), "a"), database.write(rolls_back), return_exceptions=True
    )
    await spin()
    gate.open()
    for result in await writes:
        assert isinstance(result, InternalError)
        assert isinstance(result.__cause__, sqlite3.IntegrityError)
    assert notes(database) == set()


async def test_callers_wait_for_room(place: Path | str) -> None:
    """The queue has an end: past it callers wait, and all are served in the end."""
    async with Database.open(place, limits=StoreLimits(queued_writes=3)) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)"))
        gate = await closed_gate(database)
        writes = asyncio.gather(*(database.write_grouped(Inserting(), str(number)) for number in range(20)))
        await spin()
        assert database.queued_writes == 3
        gate.open()
        assert len(await writes) == 20
        assert len(notes(database)) == 20


async def test_those_who_cannot_wait_have_room_of_their_own(place: Path | str) -> None:
    """A full queue still takes as many that cannot wait, and then refuses them."""
    async with Database.open(place, limits=StoreLimits(queued_writes=3)) as database:
        gate = await closed_gate(database)
        for _ in range(6):
            database.write_soon(lambda connection: None)
        with pytest.raises(Overloaded):
            database.write_soon(lambda connection: None)
        gate.open()


async def test_who_waits_for_room_is_refused_in_time(place: Path | str) -> None:
    """While the database is away: behind those that are refused themselves, and behind those that nobody waits for."""
    async with Database.open(place, limits=StoreLimits(queued_writes=3, commit_timeout_s=0.2)) as database:
        gate = await closed_gate(database)
        async with asyncio.timeout(60):
            writes = [database.write_grouped(Inserting(), str(number)) for number in range(20)]
            assert {type(one) for one in await asyncio.gather(*writes, return_exceptions=True)} == {Overloaded}
            for _ in range(3):
                database.write_soon(lambda connection: None)
            with pytest.raises(Overloaded):
                await database.write_grouped(Inserting(), "a")
        gate.open()


class Faulty:
    """A writer that meets what none should."""

    def transact(self, body: Callable[[OpenTransaction], None], *, in_parts: bool = False) -> Exception | None:
        raise ValueError

    def give_up(self) -> None: ...

    def close(self) -> None: ...


async def test_a_fault_of_the_writer_is_told_and_ends_nothing() -> None:
    """Its thread goes on: else all that come later, and the end, would wait for ever."""
    lost: list[Exception] = []
    commits = GroupCommit(Faulty(), StoreLimits(), on_lost_write=lost.append)
    async with asyncio.timeout(60):
        for _ in range(2):
            with pytest.raises(InternalError) as told:
                await commits.write(Inserting(), "a")
            assert isinstance(told.value.__cause__, ValueError)
        commits.write_soon(Inserting(), "b")
        await commits.close()
    assert [type(error) for error in lost] == [InternalError]


async def test_a_cancelled_caller_does_not_undo_its_write(database: Database) -> None:
    """What was queued is carried out, and harms nobody."""
    gate = await closed_gate(database)
    leaving = asyncio.create_task(database.write_grouped(Inserting(), "a"))
    staying = asyncio.create_task(database.write_grouped(Inserting(), "b"))
    await spin()
    leaving.cancel()
    await spin()
    gate.open()
    assert await staying == "B"
    assert leaving.cancelled()
    assert notes(database) == {"a", "b"}


async def test_the_error_of_a_cancelled_caller_is_not_lost(place: Path | str) -> None:
    """A write that fails after its caller left is reported like one that nobody waited for."""
    lost: list[Exception] = []
    async with Database.open(place, on_lost_write=lost.append) as database:
        gate = await closed_gate(database)
        leaving = asyncio.create_task(database.write_grouped(Inserting(), "there is no table"))
        await spin()
        leaving.cancel()
        await spin()
        gate.open()
        await database.write(lambda connection: None)
    assert [isinstance(error, SQL_ERRORS) for error in lost] == [True]


async def test_a_commit_that_takes_too_long_refuses_its_callers(place: Path | str) -> None:
    """Whoever waits is told after the time limit, and is not written later; whoever cannot wait is written in the
    end, and what comes afterwards works."""
    limits = StoreLimits(commit_timeout_s=0.2, stall_s=0.05)
    async with Database.open(place, limits=limits) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE notes (text TEXT)"))
        assert not database.is_stalled
        inserting, gate = Inserting(), await closed_gate(database)
        waiting = asyncio.create_task(database.write_grouped(inserting, "waited"))
        database.write_grouped_soon(inserting, "soon")
        with pytest.raises(Overloaded):
            await waiting
        assert database.is_stalled
        gate.open()
        await database.write_grouped(inserting, "later")
        assert notes(database) == {"soon", "later"}
        assert not database.is_stalled


async def test_what_happens_once_it_is_durable(database: Database) -> None:
    """``on_written`` is called for what nobody waits for, once it is on the disk, and not when it failed."""
    written: list[str] = []
    inserting = Inserting()
    database.write_grouped_soon(inserting, "a", on_written=lambda: written.append("a"))
    await database.write_grouped(inserting, "b")
    assert written == ["a"]


async def test_kinds_run_in_one_order(place: Path | str) -> None:
    """By their names, whoever came first: gateways that lock rows of each kind then never wait for each other."""
    ran: list[str] = []

    def apples(connection: Connection, items: Sequence[int]) -> list[None]:
        ran.append("apples")
        return [None for _ in items]

    def pears(connection: Connection, items: Sequence[int]) -> list[None]:
        ran.append("pears")
        return [None for _ in items]

    async with Database.open(place) as database:
        for first, second in ((pears, apples), (apples, pears)):
            ran.clear()
            await asyncio.gather(database.write_grouped(first, 1), database.write_grouped(second, 1))
            assert ran == ["apples", "pears"]
