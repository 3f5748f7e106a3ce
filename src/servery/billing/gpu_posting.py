"""Posting GPU time: a usage record and its transfer for each interval of a run, once."""

from collections.abc import Iterable

import msgspec

from servery.billing.charged import Charged
from servery.billing.gpu_prices import GpuPrice
from servery.billing.gpu_time import GpuInterval, GpuRun, gpu_charge_nanodollars
from servery.billing.ledger_names import receivable_account
from servery.billing.spending import OPERATOR, Spending
from servery.core.clock import Clock
from servery.core.errors import AlreadyExists
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.tenancy.account_revision import AccountRevision

_NS_PER_S = 1_000_000_000


class GpuUsageRecord(msgspec.Struct, frozen=True):
    """One posted interval; a row of the table, in its order. Seconds are those of the run since its start."""

    posting_id: str
    run_id: str
    account: str
    deployment: str
    accelerator_type: str
    accelerators: int
    run_started_ns: int
    from_s: int
    until_s: int
    price_id: str
    charge_nanodollars: int

    @property
    def accelerator_seconds(self) -> int:
        return (self.until_s - self.from_s) * self.accelerators

    @property
    def from_ns(self) -> int:
        return self.run_started_ns + self.from_s * _NS_PER_S

    def rated_nanodollars(self, price: GpuPrice) -> int:
        """What it costs at ``price``, computed anew."""
        return gpu_charge_nanodollars(
            GpuInterval(self.from_s, self.until_s),
            accelerators=self.accelerators,
            microdollars_per_hour=price.microdollars_per_hour,
        )


def gpu_revenue_account(accelerator_type: str) -> str:
    """The ledger account of what a type of accelerator has earned."""
    return f"revenue/gpu/{accelerator_type}"


def gpu_posting_id(run_id: str, from_s: int) -> str:
    """An interval's id in the books; a run's intervals begin where they must, so it is posted once."""
    return f"gpu/{run_id}/{from_s}"


class GpuPosting:
    """Writes ``gpu_usage_records``, only ever adding to them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.billing", "gpu_time.sql")
        self._insert = queries["insert_gpu_usage_record"]
        self._by_posting = queries["gpu_usage_record_by_posting"]
        self._posted_s = queries["posted_seconds"]
        self._database = database
        self._ledger = Ledger(database, clock)
        self._spending = Spending(database, clock, writer=OPERATOR)
        self._revision = AccountRevision()

    async def posted_s(self, run_id: str) -> int:
        """How many seconds of a run have been posted: where whoever comes next goes on."""
        values = {"run_id": run_id}
        row = await self._database.look_up(lambda connection: connection.execute(self._posted_s, values).fetchone())
        return int(row[0])

    async def post(self, run: GpuRun, intervals: Iterable[GpuInterval], price: GpuPrice) -> list[GpuUsageRecord]:
        """Charge the intervals, all or none; durable when it returns. Posting one again changes nothing. Raises
        AlreadyExists when it was posted with other facts."""
        assert price.accelerator_type == run.accelerator_type, "a run costs what its accelerators do"
        records = [_record(run, interval, price) for interval in intervals]

        def operation(connection: Connection) -> None:
            for record in records:
                self._post(connection, record)

        await self._database.write(operation)
        return records

    def _post(self, connection: Connection, record: GpuUsageRecord) -> None:
        first = connection.execute(self._by_posting, {"posting_id": record.posting_id}).fetchone()
        if first is not None:
            if GpuUsageRecord(*first) != record:
                raise AlreadyExists(f"The GPU time {record.posting_id!r} was posted with other facts.")
            return
        connection.execute(self._insert, msgspec.structs.asdict(record))
        transfer = _transfer(record)
        self._ledger.append_within(connection, [transfer])
        charge = Charged(transfer.id, record.account, transfer.nanodollars, transfer.created_ns)
        self._spending.charged_within(connection, [charge])
        self._revision.touch(connection, record.account)


def _record(run: GpuRun, interval: GpuInterval, price: GpuPrice) -> GpuUsageRecord:
    charge = gpu_charge_nanodollars(
        interval, accelerators=run.accelerators, microdollars_per_hour=price.microdollars_per_hour
    )
    return GpuUsageRecord(
        posting_id=gpu_posting_id(run.id, interval.from_s),
        run_id=run.id,
        account=run.account,
        deployment=run.deployment,
        accelerator_type=run.accelerator_type,
        accelerators=run.accelerators,
        run_started_ns=run.started_ns,
        from_s=interval.from_s,
        until_s=interval.until_s,
        price_id=price.price_id,
        charge_nanodollars=charge,
    )


def _transfer(record: GpuUsageRecord) -> Transfer:
    return Transfer(
        id=record.posting_id,
        debit_account=receivable_account(record.account),
        credit_account=gpu_revenue_account(record.accelerator_type),
        nanodollars=record.charge_nanodollars,
        kind=TransferKind.GPU_TIME,
        created_ns=record.from_ns,
    )
