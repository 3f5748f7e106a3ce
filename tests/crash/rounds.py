"""Rounds of a crash test: processes post, something is killed, and the books are held against what they had said.

``kill_a_gateway``: a posting process dies and is started again. ``kill_the_server``: PostgreSQL dies and is started
again beneath processes that go on posting.
"""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from servery.billing.spending import OPERATOR, Spending
from servery.control.books_report import BooksReport
from servery.control.verify_books import verify
from servery.core.clock import SystemClock
from servery.metering.cut_requests import keep_cut_requests
from servery.metering.feed import Feed
from servery.metering.journal import Journal
from servery.metering.spool import Spool
from servery.metering.usage_table import UsageTable
from servery.store.database import Database
from tests.child_environment import child_environment
from tests.postgresql_server import PostgresqlServer

ROOT = Path(__file__).parents[2]


class PostingProcess:
    """A gateway as far as its books go. ``said`` is what its postings had returned, as lines."""

    def __init__(self, place: Path | str, directory: Path, *, release: str) -> None:
        self._place = place
        self._directory = directory
        self.said: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.posting_process", str(place), str(directory), release],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=child_environment(),
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.said.append(line)

    def wait_said(self, lines: int, *, timeout_s: float = 60.0) -> None:
        """Until it has posted so many more."""
        wanted, deadline_s = len(self.said) + lines, time.monotonic() + timeout_s
        while len(self.said) < wanted:
            assert self._process.poll() is None, "it goes on whatever happens to its database"
            assert time.monotonic() < deadline_s, "it posts again once the database is back"
            time.sleep(0.01)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    async def take_over(self) -> None:
        """What its next start does: the books get what is in its spool, and what it was cut in is written down."""
        clock = SystemClock()
        async with Database.open(self._place) as database:
            table = UsageTable(Spending(database, clock, writer=OPERATOR))
            spool = Spool.open(self._directory / "spool", most=100_000)
            feed = Feed(spool, database, table)
            await feed.all()
            await feed.close()
            await spool.close()
            journal = Journal.open(self._directory / "journal")
            await keep_cut_requests(database, clock, journal.left)
            journal.forget_left()
            journal.close()


class CrashRounds:
    """``place`` with ``gateways`` posting processes on it; ``server`` where it is PostgreSQL."""

    def __init__(
        self, place: Path | str, directory: Path, *, gateways: int, seed: int, server: PostgresqlServer | None = None
    ) -> None:
        self._place = place
        self._directory = directory
        self._server = server
        self._random = random.Random(seed)
        self._said: list[str] = []
        self._gateways = [self._start(number) for number in range(gateways)]

    def kill_a_gateway(self) -> None:
        number = self._random.randrange(len(self._gateways))
        self._pause()
        gateway = self._gateways[number]
        gateway.kill()
        self._said += gateway.said
        if self._random.random() < 0.5:  # else the next one finds it when it starts
            asyncio.run(gateway.take_over())
        self._gateways[number] = self._start(number)

    def kill_the_server(self) -> None:
        assert self._server is not None
        self._pause()
        self._server.kill()
        time.sleep(self._random.uniform(0.0, 1.0))
        self._server.start()
        for gateway in self._gateways:
            gateway.wait_said(20)

    def end(self) -> None:
        for gateway in self._gateways:
            gateway.kill()
            self._said += gateway.said
            asyncio.run(gateway.take_over())

    def check(self) -> tuple[int, BooksReport]:
        """After ``end``: nothing that was said is missing, nothing stands twice, and the books hold. Returns how many
        requests were told of as posted."""
        posted, report = asyncio.run(self._books())
        said = {}
        for line in self._said:
            request_id, nanodollars = line.split()
            assert request_id not in said, "an id is new"
            said[request_id] = int(nanodollars)
        assert report.holds, report.findings
        missing = {request_id for request_id, nanodollars in said.items() if posted.get(request_id) != nanodollars}
        assert not missing, f"{len(missing)} of {len(said)} that were told of are not in the books"
        assert not {cut.request_id for cut in report.cut_requests} & posted.keys()
        return len(said), report

    def _start(self, number: int) -> PostingProcess:
        release = "database" if number % 2 else "spool"
        return PostingProcess(self._place, self._directory / str(number), release=release)

    def _pause(self) -> None:
        for gateway in self._gateways:
            gateway.wait_said(20)
        time.sleep(self._random.uniform(0.0, 0.3))

    async def _books(self) -> tuple[dict[str, int], BooksReport]:
        async with Database.open(self._place) as database:
            rows = database.reader.execute("SELECT request_id, charge_nanodollars FROM usage_records").fetchall()
            twice = [request_id for request_id, count in Counter(row[0] for row in rows).items() if count > 1]
            assert not twice
            return dict(rows), verify(database)
