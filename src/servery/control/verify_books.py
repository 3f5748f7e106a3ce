"""Verifying the books: everything that was derived is derived again, and compared to the nano-dollar.

    usage record  x  price version  =  charge;  charges and other transfers  ->  balances  ->  zero
                                              charges and other transfers  ->  hourly sums  ->  invoices

Nothing that is kept is trusted to prove itself: charges come from tokens and prices, balances from transfers.
"""

from collections.abc import Iterator, Mapping

from servery.billing.closed_months import ClosedMonths
from servery.billing.price_versions import is_intact, price_version
from servery.control.billed_usage import BilledUsage
from servery.control.books_report import BooksReport, Finding, FindingKind
from servery.control.examined_records import ExaminedRecords
from servery.control.spending_projection import SpendingProjection, SpendingSums
from servery.control.verify_gpu_time import GpuTime
from servery.control.verify_invoices import verify_invoices
from servery.control.verify_rows import RowCheck
from servery.metering.cut_requests import cut_requests
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import Query, load_queries


def verify(database: Database) -> BooksReport:
    """Examine all of the books, in one snapshot, while others may go on writing. Changes nothing.

    Blocks its thread for some microseconds per usage record: a server runs it in a thread of its own.
    """
    sql = load_queries("servery.control", "verify_books.sql")
    price_sql = load_queries("servery.billing", "price_versions.sql")["price_versions"]
    with database.snapshot() as connection:
        price_rows = connection.execute(price_sql).fetchall()
        altered = [row[0] for row in price_rows if not is_intact(row)]
        prices = {row[0]: price_version(row) for row in price_rows if is_intact(row)}
        marks = [(each.month, each.usage_sequence) for each in ClosedMonths().list(connection)]
        rows = RowCheck(connection)
        rolled_up = rows.mark("usage")
        billed = BilledUsage(marks, rolled_up=rolled_up)
        records = ExaminedRecords(connection, prices, billed, altered=altered, marks=marks, rolled_up=rolled_up)
        gpu_time = GpuTime(connection)
        findings = [
            *(Finding(kind=FindingKind.PRICE_ALTERED, subject=price_id) for price_id in altered),
            *rows.findings(),
            *records.findings(),
            *_key_findings(rows, records),
            *_amount_findings(connection, sql, records),
            *_spending_findings(connection, records, without=rows.malformed),
            *_subject_findings(connection, sql),
            *records.rollups.findings(),
            *gpu_time.findings(without=rows.malformed),
            *verify_invoices(
                connection,
                billed,
                {price_id: one.price for price_id, one in prices.items()},
                gpu_time,
                rows=rows,
            ),
        ]
        transfers, ledger_accounts, invoices = connection.execute(sql["counts"]).fetchone()
        return BooksReport(
            usage_records=records.usage_records,
            transfers=records.usage_records + transfers,
            ledger_accounts=ledger_accounts,
            invoices=invoices,
            charged_nanodollars=records.charged_nanodollars,
            findings=tuple(findings),
            cut_requests=tuple(cut_requests(connection)),
        )


def _amount_findings(connection: Connection, sql: Mapping[str, Query], records: ExaminedRecords) -> Iterator[Finding]:
    for name, kind in (
        ("reversals_that_differ", FindingKind.REVERSAL_DIFFERS),
        ("credits_that_differ", FindingKind.CREDIT_DIFFERS),
    ):
        for subject, expected, found in connection.execute(sql[name]).fetchall():
            yield Finding(kind=kind, subject=subject, expected_nanodollars=expected, found_nanodollars=found)
    posted = records.balances()
    for ledger_account, nanodollars in connection.execute(sql["moved_besides_usage"]).fetchall():
        posted[ledger_account] = posted.get(ledger_account, 0) + int(nanodollars)
    kept: dict[str, int] = dict(connection.execute(sql["balances"]).fetchall())
    yield from _differences(FindingKind.BALANCE_DIFFERS, posted, kept)
    yield from _differences(FindingKind.BALANCES_DO_NOT_CANCEL, {"balances": 0}, {"balances": sum(kept.values())})


def _key_findings(rows: RowCheck, records: ExaminedRecords) -> Iterator[Finding]:
    """A key that is known belongs to one account."""
    owners = rows.owners_of_keys()
    for account, key_id in sorted(records.keys):
        if owners.get(key_id, account) != account:
            yield Finding(kind=FindingKind.KEY_OF_ANOTHER_ACCOUNT, subject=f"{account} {key_id}")


def _spending_findings(
    connection: Connection, records: ExaminedRecords, *, without: frozenset[str]
) -> Iterator[Finding]:
    projection = SpendingProjection(connection, without=without)
    expected = projection.from_transfers(records.charged_hours())
    kept = projection.kept()
    names = [(account, month, field) for account, month in expected | kept for field in SpendingSums.__struct_fields__]
    none = SpendingSums()
    yield from _differences(
        FindingKind.SPENDING_DIFFERS,
        {
            f"{account} {month} {name}": getattr(expected.get((account, month), none), name)
            for account, month, name in names
        },
        {
            f"{account} {month} {name}": getattr(kept.get((account, month), none), name)
            for account, month, name in names
        },
    )


def _differences(kind: FindingKind, expected: Mapping[str, int], found: Mapping[str, int]) -> Iterator[Finding]:
    """By subject; what is not there is 0."""
    for subject in sorted(expected.keys() | found.keys()):
        ought, is_ = expected.get(subject, 0), found.get(subject, 0)
        if ought != is_:
            yield Finding(kind=kind, subject=subject, expected_nanodollars=ought, found_nanodollars=is_)


def _subject_findings(connection: Connection, sql: Mapping[str, Query]) -> Iterator[Finding]:
    for name, kind in (
        ("usage_records_twice", FindingKind.USAGE_RECORD_TWICE),
        ("transfers_twice", FindingKind.TRANSFER_TWICE),
    ):
        for (subject,) in connection.execute(sql[name]).fetchall():
            yield Finding(kind=kind, subject=subject)
