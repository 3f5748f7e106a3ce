"""The spool: where postings are durable while the database is away, in a file of the gateway's own.

    a response ends ──► database ─────────────────────► released
                           │ does not answer               ▲
                           └──► spool (this disk) ─────────┘      later: spool ──► database, in order, once

A posting is idempotent by its request's id, so it does no harm that one whose commit was on its way when the connection
was lost may be both in the database and in the spool.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from servery.core.errors import Overloaded
from servery.metering.posting import Posting
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.limits import StoreLimits
from servery.store.migrations import Migration
from servery.store.sql import load_queries
from servery.store.sqlite_backend import SqliteBackend

_SUFFIX: Final = ".spool"
_LIMITS: Final = StoreLimits(cached_pages_kib=2_048)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Posting).decode


class SpoolContents(msgspec.Struct, frozen=True, kw_only=True):
    """Charges that are not in the books yet; ``refused``: those among them that the books did not take."""

    requests: int = 0
    nanodollars: int = 0
    refused: int = 0


class Spool:
    """Belongs to one process at a time. ``most``: how many postings it takes."""

    def __init__(self, database: Database, *, most: int) -> None:
        """``Spool.open`` is how to get there."""
        queries = load_queries("servery.metering", "spool.sql")
        self._keep = queries["keep_posting"]
        self._oldest = queries["oldest_postings"]
        self._remove = queries["remove_posting"]
        self._refuse = queries["refuse_posting"]
        self._database = database
        self._most = most
        self._kept = _contents(database).requests

    @classmethod
    def open(cls, file: Path, *, most: int) -> Self:
        """The spool in ``file``, which is made (0600, in a directory with 0700) where it is missing."""
        return cls(_opened(file), most=most)

    @property
    def kept(self) -> int:
        """How many postings are here."""
        return self._kept

    @property
    def room(self) -> int:
        return self._most - self._kept

    async def keep(self, posting: Posting) -> None:
        """Durable once it returns. Raises Overloaded when the spool is full, and InternalError when its disk is."""
        if self.room <= 0:
            raise Overloaded("The database does not answer, and the spool is full.", retry_after_s=1.0)
        self._kept += 1
        try:
            self._kept -= 1 - await self._database.write_grouped(self._write, posting)
        except BaseException:
            self._kept -= 1
            raise

    def keep_soon(self, posting: Posting) -> None:
        """As ``keep``, where nobody waits; ``close`` does."""
        if self.room <= 0:
            raise Overloaded("The database does not answer, and the spool is full.", retry_after_s=1.0)
        self._kept += 1
        self._database.write_grouped_soon(self._write, posting)

    async def oldest(self, most: int) -> list[tuple[int, Posting]]:
        """Those that wait longest, by their numbers."""
        rows = await self._database.look_up(
            lambda connection: connection.execute(self._oldest, {"most": most}).fetchall()
        )
        return [(sequence, _decode(text)) for sequence, text in rows]

    async def remove(self, sequences: Sequence[int]) -> None:
        """They are in the books."""
        rows = [{"sequence": sequence} for sequence in sequences]
        if rows:
            await self._database.write(lambda connection: connection.executemany(self._remove, rows))
            self._kept -= len(rows)

    async def refuse(self, sequence: int, reason: str) -> None:
        """The books do not take it: it stays, and ``verify`` tells of it."""
        values = {"sequence": sequence, "refusal": reason}
        await self._database.write(lambda connection: connection.execute(self._refuse, values))

    async def close(self) -> None:
        await self._database.close()

    def _write(self, connection: Connection, postings: Sequence[Posting]) -> list[int]:
        """The group operation: for each whether it is new here, as 1 or 0."""
        return [connection.execute(self._keep, _row(posting)).rowcount for posting in postings]


def spool_file(directory: Path, worker: int) -> Path:
    """Where the platform's worker of that number keeps its spool."""
    return directory / f"{worker}{_SUFFIX}"


def spool_files(directory: Path) -> list[Path]:
    """All spools of a platform."""
    return sorted(directory.glob(f"*{_SUFFIX}"))


def orphaned_spools(directory: Path, *, workers: int) -> list[Path]:
    """The spools of workers that a platform with so many does not have: it had more before."""
    own = {spool_file(directory, worker) for worker in range(workers)}
    return [file for file in spool_files(directory) if file not in own]


async def spooled(files: Sequence[Path]) -> SpoolContents:
    """What is in these spools, of a platform that may be running."""
    sums = [0, 0, 0]
    for file in files:
        async with _opened(file) as database:
            contents = _contents(database)
            found = (contents.requests, contents.nanodollars, contents.refused)
            sums = [one + other for one, other in zip(sums, found, strict=True)]
    return SpoolContents(requests=sums[0], nanodollars=sums[1], refused=sums[2])


def _opened(file: Path) -> Database:
    schema = load_queries("servery.metering", "spool.sql")["make_spool"]
    backend = SqliteBackend(file, _LIMITS, migrations=(Migration(1, "spool", str(schema)),))
    return Database(backend, _LIMITS)


def _contents(database: Database) -> SpoolContents:
    sql = load_queries("servery.metering", "spool.sql")["spool_contents"]
    requests, nanodollars, refused = database.reader.execute(sql).fetchone()
    return SpoolContents(requests=requests, nanodollars=nanodollars, refused=refused)


def _row(posting: Posting) -> dict[str, str | int]:
    return {
        "request_id": posting.record.request_id,
        "nanodollars": posting.charge.nanodollars,
        "posting": _encode(posting).decode(),
    }
