"""What many tests stand on: a database, a clock and a meter of each test's own."""

import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from servery.core.clock import ManualClock
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.store.database import Database
from tests.postgresql_server import PostgresqlServer, missing, running_server

settings.register_profile("servery", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("servery")  # no test asserts a time: on a busy machine, examples take long

ON_BOTH_DATABASES = ("billing", "control", "ledger", "limits", "metering", "store", "tenancy")
"""The packages whose tests run over SQLite and over PostgreSQL, where they ask for a ``place`` or a ``database``."""


def pytest_configure() -> None:
    """Processes that tests start are born with the usual signals, though this one may run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    package = Path(str(metafunc.definition.fspath)).parent.name
    if "new_place" in metafunc.fixturenames and package in ON_BOTH_DATABASES:
        metafunc.parametrize("new_place", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server for all tests. Skipped where there is none, but never in continuous integration."""
    if reason := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Path | str]]:
    """Makes places for databases, one after the other; of those on PostgreSQL the schema is there already."""
    if getattr(request, "param", "sqlite") == "sqlite":
        numbers = itertools.count()
        yield lambda: tmp_path / f"servery{next(numbers) or ''}.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    lent: list[str] = []

    def place() -> str:
        if lent:
            server.take_back(lent.pop())
        lent.append(server.lend())
        return lent[-1]

    yield place
    for each in lent:
        server.take_back(each)


@pytest.fixture
def place(new_place: Callable[[], Path | str]) -> Path | str:
    """Where the test's database is: a file, or a URL."""
    return new_place()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a test that is about SQLite; on SQLite, the test's ``place``."""
    return tmp_path / "servery.db"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(place: Path | str) -> AsyncIterator[Database]:
    async with Database.open(place) as database:
        yield database


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "journal")


@pytest.fixture
def meter(database: Database, clock: ManualClock, journal: Journal) -> Meter:
    return Meter(database, clock, journal)
