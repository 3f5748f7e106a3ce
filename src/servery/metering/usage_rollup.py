"""Usage in sums by the hour, kept up in the background so that postings cost nothing more.

    usage records   1 ... watermark | watermark + 1 ... now
                    in the sums     | the tail: added up when somebody asks (usage_report.py)

So a report is exact at any moment, and reads a few rows an hour instead of every request. The sums are a projection:
``servery ledger verify`` adds the records up again and compares.
"""

from typing import Any, Final

from servery.billing.billing_month import BillingMonth
from servery.billing.closed_months import ClosedMonths
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.store.watermark import Watermark

HOUR_NS: Final = 3_600_000_000_000
STEP_RECORDS: Final = 50_000
"""The most records that one step takes in. A step reads in another thread, and holds up the writer only for the sums,
which are far fewer."""


_Sum = tuple[Any, ...]
"""A row of the query ``sums_of_records``: its series or None, the hour, five sums, and the facts of a series."""

_HOUR: Final = 1
_FACTS: Final = 7


class UsageRollup:
    """Several processes may roll up one database; each record is counted once."""

    def __init__(self, database: Database, *, step_records: int = STEP_RECORDS) -> None:
        queries = load_queries("servery.metering", "usage_rollup.sql")
        self._await_writers = queries["await_usage_writers"]
        self._last_record = queries["last_usage_record"]
        self._sums = queries["sums_of_records"]
        self._insert_series = queries["insert_series"]
        self._add_to_rollup = BulkInsert(queries["add_to_rollup"])
        self._database = database
        self._step_records = step_records
        self._mark = Watermark("usage")
        self._closed_months = ClosedMonths()

    async def roll_up(self, *, most_steps: int | None = None) -> int:
        """Take in all records that were posted before the call, or as many as ``most_steps`` do; returns how many
        numbers the mark moved on."""
        until = await self._database.read(self._horizon)
        start = after = await self._database.look_up(self._mark.read)
        if most_steps is not None:
            until = min(until, start + most_steps * self._step_records)
        while after < until:
            step_end = min(after + self._step_records, until)
            if not await self.step(after, step_end):
                break  # another process is at it
            after = step_end
        return after - start

    async def step(self, after: int, until: int) -> bool:
        """Take in the records between two numbers, all of which are there; False when the mark is not at ``after``."""
        sums = await self._read(after, until)
        if new := [each[_FACTS:] for each in sums if each[0] is None]:
            await self._database.write(lambda connection: connection.executemany(self._insert_series, new))
            sums = await self._read(after, until)

        def operation(connection: Connection) -> bool:
            if not self._mark.move(connection, after=after, to=until):
                return False
            self._add(connection, sums)
            return True

        return await self._database.write(operation)

    async def _read(self, after: int, until: int) -> list[_Sum]:
        bounds = {"after": after, "until": until}
        return await self._database.read(lambda connection: connection.execute(self._sums, bounds).fetchall())

    def _add(self, connection: Connection, sums: list[_Sum]) -> None:
        first_open = self._closed_months.first_open(connection)
        months = {
            hour: max(BillingMonth.of(hour * HOUR_NS), first_open).number for hour in {each[_HOUR] for each in sums}
        }
        rows = [(each[0], months[each[_HOUR]], *each[_HOUR:_FACTS]) for each in sums]
        self._add_to_rollup.run(connection, rows)

    def _horizon(self, connection: Connection) -> int:
        """The number up to which all records are there."""
        connection.execute(self._await_writers)
        (last,) = connection.execute(self._last_record).fetchone()
        return int(last)
