"""Verifying what is shown to accounts: hourly sums against records, and every invoice against both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import msgspec

from servery.billing.billed_transfers import BilledTransfer, billed, summed
from servery.billing.billing_month import BillingMonth
from servery.billing.closed_months import ClosedMonths, billing_month_of
from servery.billing.gpu_posting import GpuUsageRecord
from servery.billing.gpu_report import GpuSums
from servery.billing.invoice import invoice_lines, total_nanodollars
from servery.billing.invoices import Invoices, KeptInvoice
from servery.control.billed_usage import HOUR_NS, BilledUsage
from servery.control.books_report import Finding, FindingKind
from servery.control.verify_gpu_time import GpuTime
from servery.control.verify_rows import RowCheck
from servery.core.price import Price
from servery.ledger.ledger import transfer_of_row
from servery.ledger.transfer import TransferKind
from servery.store.connection import Connection
from servery.store.sql import Query, load_queries

Place = tuple[str, BillingMonth]
"""An account and a month."""

_Sums = dict[tuple[str, BillingMonth, str], int]


class _Other(msgspec.Struct):
    """What an account is billed for beside serverless usage, found again from the transfers."""

    gpu: list[GpuUsageRecord]
    transfers: list[BilledTransfer]


def verify_invoices(
    connection: Connection, usage: BilledUsage, prices: Mapping[str, Price], gpu_time: GpuTime, *, rows: RowCheck
) -> Iterator[Finding]:
    """Everything that contradicts ``usage``, which was added up from the records, or the transfers."""
    sql = load_queries("servery.control", "verify_invoices.sql")
    yield from _month_findings(connection, sql, usage)
    other, findings = _other(connection, sql, gpu_time, rows)
    yield from findings
    yield from _invoice_findings(connection, usage, other, prices)


def _month_findings(connection: Connection, sql: Mapping[str, Query], usage: BilledUsage) -> Iterator[Finding]:
    """Whether the hourly sums stand in the months in which they belong."""
    kept: dict[Place, dict[tuple[str, ...], tuple[int, ...]]] = {}
    for account, month, model, path, price_id, *sums in connection.execute(sql["rollups_by_month"]).fetchall():
        kept.setdefault((account, BillingMonth(month)), {})[model, path, price_id] = tuple(map(int, sums))
    for place in sorted({*usage.accounts(), *kept}):
        expected = {
            (each.model, each.serving_path.value, each.price_id): (
                each.uncached_prompt_tokens,
                each.cached_prompt_tokens,
                each.generated_tokens,
                each.nanodollars,
            )
            for each in usage.of(*place)
        }
        found = kept.get(place, {})
        if found != expected:
            yield Finding(
                kind=FindingKind.ROLLUP_DIFFERS,
                subject=f"{place[0]} {place[1]}",
                expected_nanodollars=sum(each[-1] for each in expected.values()),
                found_nanodollars=sum(each[-1] for each in found.values()),
            )


def _other(
    connection: Connection, sql: Mapping[str, Query], gpu_time: GpuTime, rows: RowCheck
) -> tuple[dict[Place, _Other], list[Finding]]:
    """What the transfers say by account and month, and where the months that are kept say something else."""
    marks = [(each.month, each.transfer_sequence) for each in ClosedMonths().list(connection)]
    counted = rows.mark("transfers")
    kept = [((row[0], row[1]), row[2]) for row in connection.execute(sql["billed_transfers"]).fetchall()]
    months = dict(kept)
    places: dict[Place, _Other] = {}
    findings = [Finding(kind=FindingKind.MONTH_DIFFERS, subject=key[0]) for key in _twice(key for key, _ in kept)]
    for sequence, *facts in connection.execute(sql["transfers_shown_singly"], {"until": counted}).fetchall():
        if facts[0] in rows.malformed:
            continue
        transfer = transfer_of_row(tuple(facts))
        month = billing_month_of(BillingMonth.of(transfer.created_ns), sequence, marks)
        for each in billed(transfer, month):
            other = places.setdefault((each.account, each.month), _Other([], []))
            if months.pop((each.transfer_id, each.account), None) != each.month.number:
                findings.append(Finding(kind=FindingKind.MONTH_DIFFERS, subject=each.transfer_id))
            other.transfers.append(each)
            if each.transfer_id in gpu_time.records:
                other.gpu.append(gpu_time.records[each.transfer_id])
    findings += [Finding(kind=FindingKind.MONTH_DIFFERS, subject=transfer_id) for transfer_id, _ in sorted(months)]
    sums = _credit_sums(connection, sql, marks, counted=counted)
    for (account, month, kind), nanodollars in sums.items():
        other = places.setdefault((account, month), _Other([], []))
        other.transfers.append(summed(account, month, TransferKind(kind), nanodollars))
    findings += _sum_findings(connection, sql, sums)
    return places, findings


def _twice(keys: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    seen = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)


def _credit_sums(
    connection: Connection, sql: Mapping[str, Query], marks: Sequence[tuple[BillingMonth, int]], *, counted: int
) -> _Sums:
    """What credits have paid for, of which only sums are shown: added up between any two marks."""
    sums: _Sums = {}
    after = 0
    for until in sorted({counted, *(stop for _, stop in marks if 0 < stop < counted)}):
        for account, hour, nanodollars in connection.execute(
            sql["credits_used"], {"after": after, "until": until}
        ).fetchall():
            month = billing_month_of(BillingMonth.of(hour * HOUR_NS), until, marks)
            place = (account, month, TransferKind.CREDIT_USE.value)
            sums[place] = sums.get(place, 0) - int(nanodollars)
        after = until
    return sums


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
    issued = Invoices().all(connection)
    kept = {(each.account, each.month): each for each in issued}
    closed = {each.month for each in ClosedMonths().list(connection)}
    yield from _open_months(closed, {each.month for each in issued})
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
        found = kept.get(place)
        if found is None:
            yield Finding(
                kind=FindingKind.INVOICE_MISSING, subject=f"{place[0]} {place[1]}", expected_nanodollars=expected
            )
        elif found.lines != lines or found.total_nanodollars != expected:
            yield Finding(
                kind=FindingKind.INVOICE_DIFFERS,
                subject=f"invoice {found.number}",
                expected_nanodollars=expected,
                found_nanodollars=_found_nanodollars(found, expected),
            )
    yield from _gaps([each.number for each in issued])


def _found_nanodollars(kept: KeptInvoice, expected: int) -> int:
    """The amount that is wrong: the total, or else what the lines come to."""
    if kept.total_nanodollars != expected or kept.lines is None:
        return kept.total_nanodollars
    return sum(line.picodollars for line in kept.lines) // 1_000


def _open_months(closed: Set[BillingMonth], invoiced: Set[BillingMonth]) -> Iterator[Finding]:
    """Months are closed one after the other, and before there are invoices of them."""
    ought = set(invoiced)
    if closed:
        ought |= {BillingMonth(number) for number in range(min(closed).number, max(closed).number)}
    for month in sorted(ought - closed):
        yield Finding(kind=FindingKind.MONTH_NOT_CLOSED, subject=str(month))


def _gaps(numbers: Iterable[int]) -> Iterator[Finding]:
    """Numbers go from 1 on without gaps."""
    there = set(numbers)
    for number in sorted(set(range(1, max(there, default=0) + 1)) - there):
        yield Finding(kind=FindingKind.INVOICE_MISSING, subject=f"invoice {number}")


def _gpu_sums(account: str, records: Iterable[GpuUsageRecord]) -> list[GpuSums]:
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for record in records:
        place = (record.deployment, record.accelerator_type, record.price_id)
        seconds, nanodollars = sums.get(place, (0, 0))
        sums[place] = (seconds + record.accelerator_seconds, nanodollars + record.charge_nanodollars)
    return [GpuSums(account, *place, *sums[place]) for place in sorted(sums)]
