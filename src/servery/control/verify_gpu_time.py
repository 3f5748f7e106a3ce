"""Verifying GPU time: every interval against its price, its transfer, and the others of its run."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from servery.billing.gpu_posting import GpuUsageRecord, gpu_posting_id, gpu_revenue_account
from servery.billing.gpu_prices import GpuPrice, gpu_prices
from servery.billing.ledger_names import receivable_account
from servery.control.books_report import Finding, FindingKind
from servery.ledger.ledger import transfer_of_row
from servery.ledger.transfer import Transfer
from servery.store.connection import Connection
from servery.store.sql import load_queries


class GpuTime:
    """All of it that was posted, ``records`` by the ids of their postings."""

    def __init__(self, connection: Connection) -> None:
        self._sql = load_queries("servery.control", "verify_gpu_time.sql")
        self._connection = connection
        rows = connection.execute(self._sql["gpu_usage_records"]).fetchall()
        self._all = [GpuUsageRecord(*row) for row in rows]
        self.records: Mapping[str, GpuUsageRecord] = {record.posting_id: record for record in self._all}

    def findings(self, *, without: frozenset[str]) -> Iterator[Finding]:
        """All contradictions, ``without`` the transfers of which no sense can be made."""
        prices = {price.price_id: price for price in gpu_prices(self._connection)}
        for price in prices.values():
            if not price.is_intact:
                yield Finding(kind=FindingKind.PRICE_ALTERED, subject=price.price_id)
        rows = self._connection.execute(self._sql["gpu_transfers"]).fetchall()
        posted = {row[0]: transfer_of_row(row) for row in rows if row[0] not in without}
        for record in self._all:
            yield from _record_findings(record, prices, posted.get(record.posting_id))
        yield from self._run_findings()
        for posting_id in posted.keys() - self.records.keys():
            found = posted[posting_id].nanodollars
            yield Finding(kind=FindingKind.USAGE_RECORD_MISSING, subject=posting_id, found_nanodollars=found)

    def _run_findings(self) -> Iterator[Finding]:
        """Of each run the intervals follow each other from its start, and are of one thing."""
        runs: dict[str, list[GpuUsageRecord]] = {}
        for record in self._all:
            runs.setdefault(record.run_id, []).append(record)
        for run in runs.values():
            run.sort(key=lambda record: record.from_s)
            if run[0].from_s != 0:
                yield Finding(kind=FindingKind.GPU_TIME_DIFFERS, subject=run[0].posting_id)
            for before, after in pairwise(run):
                if after.from_s != before.until_s or _run_facts(after) != _run_facts(before):
                    yield Finding(kind=FindingKind.GPU_TIME_DIFFERS, subject=after.posting_id)


def _run_facts(record: GpuUsageRecord) -> tuple[str, str, str, int, int]:
    return (
        record.account,
        record.deployment,
        record.accelerator_type,
        record.accelerators,
        record.run_started_ns,
    )


def _record_findings(
    record: GpuUsageRecord, prices: Mapping[str, GpuPrice], transfer: Transfer | None
) -> Iterator[Finding]:
    subject = record.posting_id
    price = prices.get(record.price_id)
    if price is None or not price.is_intact or price.accelerator_type != record.accelerator_type:
        yield Finding(kind=FindingKind.PRICE_MISSING, subject=subject)
        return
    if not 0 <= record.from_s < record.until_s or subject != gpu_posting_id(record.run_id, record.from_s):
        yield Finding(kind=FindingKind.GPU_TIME_DIFFERS, subject=subject)
        return
    expected = record.rated_nanodollars(price)
    yield from _charge_finding(subject, expected, record.charge_nanodollars)
    places = (receivable_account(record.account), gpu_revenue_account(record.accelerator_type))
    if transfer is None or (transfer.debit_account, transfer.credit_account) != places:
        yield Finding(kind=FindingKind.TRANSFER_MISSING, subject=subject, expected_nanodollars=expected)
        return
    yield from _charge_finding(subject, expected, transfer.nanodollars)
    if transfer.created_ns != record.from_ns:
        yield Finding(kind=FindingKind.GPU_TIME_DIFFERS, subject=subject)


def _charge_finding(subject: str, expected: int, found: int) -> Iterator[Finding]:
    if found != expected:
        yield Finding(
            kind=FindingKind.CHARGE_DIFFERS, subject=subject, expected_nanodollars=expected, found_nanodollars=found
        )
