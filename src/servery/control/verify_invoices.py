"""Verifying what is shown to accounts: hourly sums against records, and every invoice against both."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from servery.billing.billed_transfers import SUMMED, BilledTransfer, billed, summed
from servery.billing.billing_month import BillingMonth
from servery.billing.closed_months import ClosedMonths, billing_month_of
from servery.billing.gpu_posting import GpuUsageRecord, gpu_revenue_account
from servery.billing.gpu_prices import GpuPrice, gpu_prices
from servery.billing.gpu_report import GpuSums
from servery.billing.invoice import Invoice, invoice_lines, total_nanodollars
from servery.billing.invoices import Invoices
from servery.billing.ledger_names import receivable_account
from servery.control.billed_usage import BilledUsage
from servery.control.books_report import Finding, FindingKind
from servery.core.price import Price
from servery.ledger.ledger import transfer_of_row
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.connection import Connection
from servery.store.sql import Query, load_queries
from servery.store.watermark import Watermark

Place = tuple[str, BillingMonth]
"""An account and a month."""

_Sums = dict[tuple[str, BillingMonth, str], int]


class _Other(msgspec.Struct):
    """What an account is billed for beside serverless usage, found again from the transfers."""

    gpu: list[GpuUsageRecord]
    transfers: list[BilledTransfer]


def verify_invoices(connection: Connection, usage: BilledUsage, prices: Mapping[str, Price]) -> Iterator[Finding]:
    """Everything that contradicts ``usage``, which was added up from the records, or the transfers."""
    sql = load_queries("servery.control", "verify_invoices.sql")
    yield from _month_findings(connection, sql, usage)
    gpu_records = {row[0]: GpuUsageRecord(*row) for row in connection.execute(sql["gpu_usage_records"]).fetchall()}
    yield from _gpu_findings(connection, sql, gpu_records)
    other, findings = _other(connection, sql, gpu_records)
    yield from findings
    yield from _invoice_findings(connection, usage, other, prices)


def _month_findings(connection: Connection, sql: Mapping[str, Query], usage: BilledUsage) -> Iterator[Finding]:
    """Whether the hourly sums stand in the months in which they belong."""
    kept = {
        (account, BillingMonth(month)): (tokens, nanodollars)
        for account, month, tokens, nanodollars in connection.execute(sql["rollups_by_month"]).fetchall()
    }
    for place in sorted({*usage.accounts(), *kept}):
        expected = usage.of(*place)
        tokens = sum(
            each.uncached_prompt_tokens + each.cached_prompt_tokens + each.generated_tokens for each in expected
        )
        nanodollars = sum(each.nanodollars for each in expected)
        if kept.get(place, (0, 0)) != (tokens, nanodollars):
            yield Finding(
                kind=FindingKind.ROLLUP_DIFFERS,
                subject=f"{place[0]} {place[1]}",
                expected_nanodollars=nanodollars,
                found_nanodollars=kept.get(place, (0, 0))[1],
            )


def _gpu_findings(
    connection: Connection, sql: Mapping[str, Query], records: Mapping[str, GpuUsageRecord]
) -> Iterator[Finding]:
    prices = {price.price_id: price for price in gpu_prices(connection)}
    for price in prices.values():
        if not price.is_intact:
            yield Finding(kind=FindingKind.PRICE_ALTERED, subject=price.price_id)
    posted = {row[0]: transfer_of_row(row) for row in connection.execute(sql["gpu_transfers"]).fetchall()}
    for record in records.values():
        yield from _record_findings(record, prices, posted.get(record.posting_id))
    for posting_id in posted.keys() - records.keys():
        found = posted[posting_id].nanodollars
        yield Finding(kind=FindingKind.USAGE_RECORD_MISSING, subject=posting_id, found_nanodollars=found)


def _record_findings(
    record: GpuUsageRecord, prices: Mapping[str, GpuPrice], transfer: Transfer | None
) -> Iterator[Finding]:
    price = prices.get(record.price_id)
    if price is None or not price.is_intact or price.accelerator_type != record.accelerator_type:
        yield Finding(kind=FindingKind.PRICE_MISSING, subject=record.posting_id)
        return
    expected = record.rated_nanodollars(price)
    if record.charge_nanodollars != expected:
        yield Finding(
            kind=FindingKind.CHARGE_DIFFERS,
            subject=record.posting_id,
            expected_nanodollars=expected,
            found_nanodollars=record.charge_nanodollars,
        )
    places = (receivable_account(record.account), gpu_revenue_account(record.accelerator_type))
    if transfer is None or (transfer.debit_account, transfer.credit_account) != places:
        yield Finding(kind=FindingKind.TRANSFER_MISSING, subject=record.posting_id, expected_nanodollars=expected)
    elif transfer.nanodollars != expected:
        yield Finding(
            kind=FindingKind.CHARGE_DIFFERS,
            subject=record.posting_id,
            expected_nanodollars=expected,
            found_nanodollars=transfer.nanodollars,
        )


def _other(
    connection: Connection, sql: Mapping[str, Query], gpu_records: Mapping[str, GpuUsageRecord]
) -> tuple[dict[Place, _Other], list[Finding]]:
    """What the transfers say by account and month, and where the months that are kept say something else."""
    marks = [(each.month, each.transfer_sequence) for each in ClosedMonths().list(connection)]
    counted = Watermark("transfers").read(connection)
    kept = {(row[0], row[1]): BillingMonth(row[2]) for row in connection.execute(sql["billed_transfers"]).fetchall()}
    places: dict[Place, _Other] = {}
    sums: _Sums = {}
    findings = []
    for sequence, *facts in connection.execute(sql["transfers_besides_usage"]).fetchall():
        if facts[4] not in set(TransferKind):
            findings.append(Finding(kind=FindingKind.KIND_UNKNOWN, subject=facts[0]))
            continue
        if sequence > counted:
            continue
        transfer = transfer_of_row(tuple(facts))
        month = billing_month_of(BillingMonth.of(transfer.created_ns), sequence, marks)
        for each in billed(transfer, month):
            other = places.setdefault((each.account, each.month), _Other([], []))
            if each.kind in SUMMED:
                place = (each.account, each.month, each.kind)
                sums[place] = sums.get(place, 0) + each.nanodollars
                continue
            if kept.pop((each.transfer_id, each.account), None) != each.month:
                findings.append(Finding(kind=FindingKind.MONTH_DIFFERS, subject=each.transfer_id))
            other.transfers.append(each)
            if each.transfer_id in gpu_records:
                other.gpu.append(gpu_records[each.transfer_id])
    findings += [Finding(kind=FindingKind.MONTH_DIFFERS, subject=transfer_id) for transfer_id, _ in sorted(kept)]
    for (account, month, kind), nanodollars in sums.items():
        places[account, month].transfers.append(summed(account, month, TransferKind(kind), nanodollars))
    findings += _sum_findings(connection, sql, sums)
    return places, findings


def _sum_findings(connection: Connection, sql: Mapping[str, Query], sums: _Sums) -> Iterator[Finding]:
    kept = {
        (account, BillingMonth(month), kind): int(nanodollars)
        for account, month, kind, nanodollars in connection.execute(sql["billed_sums"]).fetchall()
    }
    for place in sorted(kept.keys() | sums.keys()):
        expected, found = sums.get(place, 0), kept.get(place, 0)
        if expected != found:
            yield Finding(
                kind=FindingKind.MONTH_DIFFERS,
                subject=f"{place[0]} {place[1]} {place[2]}",
                expected_nanodollars=expected,
                found_nanodollars=found,
            )


def _invoice_findings(
    connection: Connection, usage: BilledUsage, other: Mapping[Place, _Other], prices: Mapping[str, Price]
) -> Iterator[Finding]:
    kept = {(invoice.account, invoice.month): (invoice, total) for invoice, total in Invoices().all(connection)}
    closed = {each.month for each in ClosedMonths().list(connection)}
    active = {place for place in {*usage.accounts(), *other} if place[1] in closed}
    for place in sorted(active | kept.keys()):
        rest = other.get(place, _Other([], []))
        lines = invoice_lines(
            [each for each in usage.of(*place) if each.price_id in prices],
            prices,
            gpu=_gpu_sums(place[0], rest.gpu),
            transfers=rest.transfers,
        )
        expected = total_nanodollars(lines)
        invoice, total = kept.get(place, (None, None))
        if invoice is None:
            yield Finding(
                kind=FindingKind.INVOICE_MISSING, subject=f"{place[0]} {place[1]}", expected_nanodollars=expected
            )
        elif invoice.lines != lines or total != expected:
            found = total if total != expected else sum(line.picodollars for line in invoice.lines) // 1_000
            yield Finding(
                kind=FindingKind.INVOICE_DIFFERS,
                subject=f"invoice {invoice.number}",
                expected_nanodollars=expected,
                found_nanodollars=found,
            )
    yield from _gaps([invoice for invoice, _ in kept.values()])


def _gaps(invoices: Iterable[Invoice]) -> Iterator[Finding]:
    """Numbers go from 1 on without gaps."""
    numbers = {invoice.number for invoice in invoices if invoice.number is not None}
    for number in sorted(set(range(1, max(numbers, default=0) + 1)) - numbers):
        yield Finding(kind=FindingKind.INVOICE_MISSING, subject=f"invoice {number}")


def _gpu_sums(account: str, records: Iterable[GpuUsageRecord]) -> list[GpuSums]:
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for record in records:
        place = (record.deployment, record.accelerator_type, record.price_id)
        seconds, nanodollars = sums.get(place, (0, 0))
        sums[place] = (seconds + record.accelerator_seconds, nanodollars + record.charge_nanodollars)
    return [GpuSums(account, *place, *sums[place]) for place in sorted(sums)]
