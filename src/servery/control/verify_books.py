"""Verifying the books: everything that was derived is derived again, and compared to the nano-dollar.

    usage record  x  price version  =  charge;  charges and other transfers  ->  balances  ->  zero
                                              charges and other transfers  ->  hourly sums  ->  invoices

Nothing that is kept is trusted to prove itself: charges come from tokens and prices, balances from transfers.
"""

from collections.abc import Iterator, Mapping

import msgspec

from servery.billing.closed_months import ClosedMonths
from servery.billing.price_versions import PriceVersion, is_intact, price_version
from servery.billing.rating import rate
from servery.control.billed_usage import BilledUsage
from servery.control.books_report import BooksReport, Finding, FindingKind
from servery.control.verify_invoices import verify_invoices
from servery.core.usage import Usage
from servery.metering.cut_requests import cut_requests
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import Query, load_queries
from servery.store.watermark import Watermark


def verify(database: Database) -> BooksReport:
    """Examine all of the books, in one snapshot, while others may go on writing. Changes nothing.

    Blocks its thread for some microseconds per usage record: a server runs it in a thread of its own.
    """
    sql = load_queries("servery.control", "verify_books.sql")
    price_sql = load_queries("servery.billing", "price_versions.sql")["price_versions"]
    with database.snapshot() as connection:
        price_rows = connection.execute(price_sql).fetchall()
        prices = {row[0]: price_version(row) for row in price_rows if is_intact(row)}
        marks = [(each.month, each.usage_sequence) for each in ClosedMonths().list(connection)]
        billed = BilledUsage(marks, rolled_up=Watermark("usage").read(connection))
        findings = [
            *(Finding(kind=FindingKind.PRICE_ALTERED, subject=row[0]) for row in price_rows if not is_intact(row)),
            *_usage_findings(connection, sql, prices, billed),
            *_amount_findings(connection, sql),
            *_duplicate_findings(connection, sql),
            *verify_invoices(connection, billed, {price_id: one.price for price_id, one in prices.items()}),
        ]
        counts = connection.execute(sql["counts"]).fetchone()
        usage_records, transfers, ledger_accounts, charged_nanodollars, invoices = counts
        return BooksReport(
            usage_records=usage_records,
            transfers=transfers,
            ledger_accounts=ledger_accounts,
            invoices=invoices,
            charged_nanodollars=charged_nanodollars,
            findings=tuple(findings),
            cut_requests=tuple(cut_requests(connection)),
        )


class _Evidence(msgspec.Struct, frozen=True):
    """A row of the query ``usage_records``."""

    request_id: str
    account: str
    sequence: int
    finished_ns: int
    model: str
    serving_path: str
    price_id: str
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    reasoning_tokens: int
    charge_nanodollars: int

    @property
    def contradicts_itself(self) -> bool:
        return not (
            0 <= self.cached_prompt_tokens <= self.prompt_tokens and 0 <= self.reasoning_tokens <= self.generated_tokens
        )

    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.cached_prompt_tokens, self.generated_tokens, self.reasoning_tokens)


def _usage_findings(
    connection: Connection, sql: Mapping[str, Query], prices: Mapping[str, PriceVersion], billed: BilledUsage
) -> Iterator[Finding]:
    for row in connection.execute(sql["usage_records"]):
        evidence = _Evidence(*row)
        version = prices.get(evidence.price_id)
        if version is None:
            yield Finding(kind=FindingKind.PRICE_MISSING, subject=evidence.request_id)
        elif (version.model, version.serving_path) != (evidence.model, evidence.serving_path):
            yield Finding(kind=FindingKind.PRICE_OF_ANOTHER_MODEL, subject=evidence.request_id)
        elif evidence.contradicts_itself:
            yield Finding(kind=FindingKind.TOKENS_CONTRADICT, subject=evidence.request_id)
        else:
            usage = evidence.usage()
            expected = rate(usage, version.price).nanodollars
            billed.add(
                usage,
                expected,
                account=evidence.account,
                place=(evidence.model, evidence.serving_path, evidence.price_id),
                sequence=evidence.sequence,
                finished_ns=evidence.finished_ns,
            )
            if evidence.charge_nanodollars != expected:
                yield Finding(
                    kind=FindingKind.CHARGE_DIFFERS,
                    subject=evidence.request_id,
                    expected_nanodollars=expected,
                    found_nanodollars=evidence.charge_nanodollars,
                )


def _amount_findings(connection: Connection, sql: Mapping[str, Query]) -> Iterator[Finding]:
    for name, kind in (
        ("reversals_that_differ", FindingKind.REVERSAL_DIFFERS),
        ("balances_that_differ", FindingKind.BALANCE_DIFFERS),
        ("spending_that_differs", FindingKind.SPENDING_DIFFERS),
    ):
        for subject, expected, found in connection.execute(sql[name]):
            yield Finding(kind=kind, subject=subject, expected_nanodollars=expected, found_nanodollars=found)
    (total,) = connection.execute(sql["sum_of_balances"]).fetchone()
    if total != 0:
        yield Finding(
            kind=FindingKind.BALANCES_DO_NOT_CANCEL,
            subject="balances",
            expected_nanodollars=0,
            found_nanodollars=total,
        )


def _duplicate_findings(connection: Connection, sql: Mapping[str, Query]) -> Iterator[Finding]:
    for name, kind in (
        ("usage_records_twice", FindingKind.USAGE_RECORD_TWICE),
        ("transfers_twice", FindingKind.TRANSFER_TWICE),
    ):
        for (subject,) in connection.execute(sql[name]):
            yield Finding(kind=kind, subject=subject)
