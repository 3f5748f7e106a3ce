"""A PostgreSQL server of the tests' own: in a temporary directory, on a socket there, as an unprivileged user."""

import asyncio
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from servery.store.database import Database

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: int(bin_.parent.name))
_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
_START_TIMEOUT_S = 180

_KEEP_SEEDS = """
CREATE SCHEMA seeds;
DO $$
DECLARE name text; filled boolean;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'servery' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM servery.%I)', name) INTO filled;
        IF filled THEN
            EXECUTE format('CREATE TABLE seeds.%I AS TABLE servery.%I', name, name);
        END IF;
    END LOOP;
END $$
"""
_EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE tables text; name text;
BEGIN
    SELECT string_agg(format('servery.%I', tablename), ', ') INTO tables FROM pg_tables WHERE schemaname = 'servery';
    EXECUTE 'TRUNCATE ' || tables || ' RESTART IDENTITY';
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'seeds' LOOP
        EXECUTE format('INSERT INTO servery.%I SELECT * FROM seeds.%I', name, name);
    END LOOP;
END $$
"""
_FINGERPRINT = """
SELECT md5(
    (SELECT string_agg(relname::text || relkind::text, ',' ORDER BY relname) FROM pg_class
     WHERE relnamespace = 'servery'::regnamespace)
    || (SELECT string_agg(tgname::text || tgenabled::text, ',' ORDER BY oid) FROM pg_trigger)
    || (SELECT string_agg(conname::text || conrelid::text, ',' ORDER BY oid) FROM pg_constraint)
)
"""
_END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def missing() -> str | None:
    """Why there can be no server here, or None."""
    if not BINARIES and shutil.which("initdb") is None:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    return None


class PostgresqlServer:
    """Started and stopped by ``running_server``; may be killed and started again in between."""

    def __init__(self, directory: Path, *, user: str | None, settings: tuple[str, ...], port: int | None) -> None:
        self._directory = directory
        self._user = user
        self._settings = settings
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._template = ""
        self._schema = ""
        self._unused: list[str] = []

    def url(self, database: str) -> str:
        if self._port is not None:
            return f"postgresql://servery@127.0.0.1:{self._port}/{database}"
        return f"postgresql://servery@/{database}?host={self._directory}"

    def initialise(self) -> None:
        self._run("initdb", "--no-sync", "--auth=trust", "--username=servery", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        listen = "" if self._port is None else "127.0.0.1"
        settings = (f"listen_addresses={listen}", "max_connections=200", "shared_buffers=32MB", *self._settings)
        command = [str(_binary("postgres")), "-D", self._data, "-k", str(self._directory)]
        command += ["-p", str(self._port or 5432), *(part for setting in settings for part in ("-c", setting))]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user, cwd=self._directory)
        self._wait_until_ready(command)

    def kill(self) -> None:
        """As the kernel would when memory runs out: the server and, by its death, all its sessions."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=180)

    def new_database(self, *, like: str = "template1") -> str:
        """The URL of a fresh copy of the database ``like``."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)

    def lend(self) -> str:
        """The URL of a database with Servery's schema, and what its migrations put into it."""
        if self._unused:
            return self._unused.pop()
        if not self._template:
            url = self.new_database()
            asyncio.run(Database.open(url).close())
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_KEEP_SEEDS)
                (self._schema,) = connection.execute(_FINGERPRINT).fetchone() or ("",)
            self._template = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
        return self.new_database(like=self._template)

    def take_back(self, url: str) -> None:
        """Empty it for the next test, which is quicker than a new one; unless its schema was changed."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_END_OTHER_SESSIONS)
            if connection.execute(_FINGERPRINT).fetchone() == (self._schema,):
                connection.execute(_EMPTY)
                self._unused.append(url)

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_binary(program)), "-D", self._data, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self._user, cwd=self._directory)

    def _wait_until_ready(self, command: list[str]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=10).close()
            except psycopg.OperationalError as error:
                assert self._process is not None
                if time.monotonic() > deadline:
                    raise TimeoutError((self._directory / "log").read_text()) from error
                if self._process.poll() is not None:  # the sessions of one that was killed were still there
                    with (self._directory / "log").open("ab") as log:
                        self._process = subprocess.Popen(
                            command, stdout=log, stderr=log, user=self._user, cwd=self._directory
                        )
                time.sleep(0.05)
            else:
                return


@contextmanager
def running_server(*, durable: bool = False, port: int | None = None) -> Iterator[PostgresqlServer]:
    """A server for the block. ``durable``: it waits for the disk, as in production."""
    directory = Path(tempfile.mkdtemp(prefix="servery-pg-"))
    user = _unprivileged_user()
    if user is not None:
        os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
    server = PostgresqlServer(directory, user=user, settings=() if durable else _FAST, port=port)
    try:
        server.initialise()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _binary(name: str) -> Path:
    found = shutil.which(name)
    return BINARIES[-1] / name if BINARIES else Path(found or name)


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root: somebody else, or None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
