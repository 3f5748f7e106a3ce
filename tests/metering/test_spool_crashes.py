"""Spool, feed and books over any crashes of any disk: what was told to be durable is posted, once."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from tests.fakes.fake_disk import FakeDisk, Fault
from tests.metering.test_meter import PRICE, price_id_of, record

from servery.billing.rating import rate
from servery.billing.spending import OPERATOR, Spending
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import ServeryError
from servery.core.usage import Usage
from servery.metering.feed import Feed
from servery.metering.lost_postings import LostPostings
from servery.metering.posting import NANODOLLARS, REQUEST_ID, Posting, posting
from servery.metering.refused_postings import RefusedPostings
from servery.metering.spool import Spool
from servery.metering.usage_table import UsageTable
from servery.store.database import Database
from servery.store.limits import StoreLimits
from servery.store.log_limits import LogLimits
from servery.store.sqlite_backend import SqliteBackend
from servery.store.transaction import OpenTransaction, TransactionFailed, Writer

LIMITS: Final = LogLimits(gather_s=0.0, segment_bytes=8_192, frame_bytes=2_048)
IN_MEMORY: Final = 7
NEVER_S: Final = 1_000.0

Trouble = tuple[Fault, int, int]
"""What comes of a write, after how many others, and with which chances."""
TROUBLE: Final = st.none() | st.tuples(st.sampled_from(Fault), st.integers(0, 5), st.integers(0, 2**16))


class UnreliableWriter:
    """A database's writer whose next commits fail: before they are made, or after, when nobody hears of them."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.failing: list[bool] = []
        """Of each of the next commits, whether it is made."""

    def transact(self, body: Callable[[OpenTransaction], None], *, in_parts: bool = False) -> Exception | None:
        if not self.failing:
            return self._writer.transact(body, in_parts=in_parts)
        if self.failing.pop():
            self._writer.transact(body, in_parts=in_parts)
        raise TransactionFailed("the database is away")

    def give_up(self) -> None:
        self._writer.give_up()

    def close(self) -> None:
        self._writer.close()


class Books:
    """One database for all runs, each of which has names of its own."""

    def __init__(self, directory: Path, runner: asyncio.Runner) -> None:
        self.directory = directory
        self.runner = runner
        backend = SqliteBackend(directory / "servery.db", StoreLimits())
        self.writer = backend.writer = UnreliableWriter(backend.writer)  # type: ignore[assignment]
        self.database = Database(backend, StoreLimits())
        self.table = UsageTable(Spending(self.database, ManualClock(), writer=OPERATOR))
        self.price_id = runner.run(price_id_of(self.database))
        self.runs = itertools.count()

    def posted(self, account: str) -> list[tuple[str, int]]:
        sql = "SELECT request_id, charge_nanodollars FROM usage_records WHERE account = ?"
        return self.database.reader.execute(sql, (account,)).fetchall()


class Crashes(RuleBasedStateMachine):
    """A gateway's spool, whose disk fails and whose process is killed, or loses power, at any write."""

    def __init__(self, books: Books) -> None:
        super().__init__()
        self.books = books
        self.account = f"account-{next(books.runs)}"
        self.chance = random.Random(0)
        self.names = itertools.count()
        self.places = itertools.count()
        self.tried: dict[str, Posting] = {}
        self.told: set[tuple[str, int]] = set()
        self.is_open = False
        self._start({})

    @rule(sizes=st.lists(st.integers(0, 900), min_size=1, max_size=9), trouble=TROUBLE)
    def keep(self, sizes: list[int], trouble: Trouble | None) -> None:
        """Some responses end at once."""
        self._meet(trouble)
        self._keep([self._posting(next(self.names), size) for size in sizes])

    @precondition(lambda self: self.tried)
    @rule(data=st.data(), is_same=st.booleans())
    def keep_again(self, data: st.DataObject, is_same: bool) -> None:
        """A request ends once more: as before, or with other facts."""
        row = data.draw(st.sampled_from(list(self.tried.values())))
        name = int(row[REQUEST_ID].rpartition("-")[2])
        self._keep([row if is_same else self._posting(name, 1, generated=data.draw(st.integers(38, 39)))])

    @rule(trouble=TROUBLE, commits=st.lists(st.booleans(), max_size=2))
    def feed_all(self, trouble: Trouble | None, commits: list[bool]) -> None:
        """``commits``: of each that fails first, whether it is made."""
        self._meet(trouble)
        self.books.writer.failing = commits
        # The books are away; or the disk fails when something is to be put aside.
        with contextlib.suppress(ServeryError, OSError):
            self.books.runner.run(self.feed.all())

    @rule(is_power_cut=st.booleans())
    def crash(self, is_power_cut: bool) -> None:
        self.disk.end()
        left = self.disk.left_by_a_power_cut() if is_power_cut else self.disk.left_by_a_kill()
        self._abandon()
        self._start(left)

    @rule(trouble=TROUBLE)
    def restart(self, trouble: Trouble | None) -> None:
        """In good order, with whatever the disk does."""
        self._meet(trouble)
        self._abandon()
        left = self.disk.left_by_a_kill()
        self._start(left)

    def teardown(self) -> None:
        self.disk.heal()
        self.books.writer.failing = []
        if self.disk.is_dead:
            self.crash(is_power_cut=True)
        self.books.runner.run(self.feed.all())
        self._abandon()
        posted = self.books.posted(self.account)
        refused = RefusedPostings(self.place).read()
        put_aside = {(each.posting.request_id, each.posting.charge_nanodollars) for each in refused}
        assert len(posted) == len(set(posted))
        assert self.told <= {*posted, *put_aside}
        assert {name for name, _ in posted} <= self.tried.keys()
        assert LostPostings(self.place).read() == []

    def _meet(self, trouble: Trouble | None) -> None:
        if trouble is not None:
            fault, after, seed = trouble
            self.chance.seed(seed)
            self.disk.fail(fault, after=after)

    def _posting(self, name: int, size: int, *, generated: int = 37) -> Posting:
        usage = Usage(prompt_tokens=1_000, cached_prompt_tokens=100, generated_tokens=generated, reasoning_tokens=5)
        facts = record(f"{self.account}-{name}", self.books.price_id, usage, account=self.account)
        row = list(posting(facts, rate(usage, PRICE)))
        row[row.index("replica-1")] = "x" * size
        return tuple(row)  # type: ignore[return-value]

    def _keep(self, rows: list[Posting]) -> None:
        for row in rows:
            self.tried.setdefault(row[REQUEST_ID], row)

        async def keep() -> list[BaseException | None]:
            return await asyncio.gather(*map(self.spool.keep, rows), return_exceptions=True)

        for row, outcome in zip(rows, self.books.runner.run(keep()), strict=True):
            if outcome is None:
                self.told.add((row[REQUEST_ID], row[NANODOLLARS]))
            else:
                assert isinstance(outcome, ServeryError)

    def _start(self, left: dict[str, bytes]) -> None:
        """The next process, with a disk of which the last one has left this."""
        self.place = self.books.directory / self.account / f"{next(self.places)}"
        self.place.mkdir(parents=True)
        for name, data in left.items():
            (self.place / name).write_bytes(data)
        self.disk = FakeDisk(self.place, self.chance)
        self._mount = self.disk.mounted()
        self._mount.__enter__()
        self.books.runner.run(self._open())

    async def _open(self) -> None:
        self.spool = Spool.open(self.place, most=10_000, limits=LIMITS, memory=IN_MEMORY)
        self.feed = Feed(self.spool, self.books.database, self.books.table, interval_s=NEVER_S, retry_s=NEVER_S)

    def _abandon(self) -> None:
        """The process ends."""
        self.books.runner.run(self._close())
        self._mount.__exit__(None, None, None)

    async def _close(self) -> None:
        await self.feed.close()
        await self.spool.close()


def test_what_was_told_is_posted_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also when the disk fails, when the process is killed or the power goes at any write, when the books are away, and
    when a commit is made of which nobody hears. What cannot be posted, for it was posted with other facts, is put
    aside; nothing is said to be lost."""
    with asyncio.Runner() as runner:
        books = Books(tmp_path_factory.mktemp("spool"), runner)
        run_state_machine_as_test(
            lambda: Crashes(books),
            settings=settings(
                max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        assert verify(books.database).holds
        runner.run(books.database.close())
