"""Invoicing: drafts of months that run, closing months, and the final invoices of those that are closed.

records, transfers -> sums by month        (in the background, or by whoever asks)
close a month      -> its sums never change again; whatever comes late goes into the next
issue              -> an invoice for each account that has something in it, numbered and kept
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

from servery.billing.billed_transfers import BilledTransfers
from servery.billing.billing_month import BillingMonth
from servery.billing.closed_months import ClosedMonth, ClosedMonths
from servery.billing.gpu_report import gpu_usage_of_month
from servery.billing.invoice import Invoice, ModelUsage, invoice_lines
from servery.billing.invoices import Invoices
from servery.billing.price_versions import prices_by_id
from servery.core.clock import Clock
from servery.core.errors import NotFound, PreconditionFailed
from servery.core.serving_path import ServingPath
from servery.metering.usage_report import UsageReport, UsageRow, UsageSums, grouped
from servery.metering.usage_rollup import UsageRollup
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.store.watermark import Watermark

_AT_ONCE: Final = 100
"""How many invoices are issued in one transaction."""


class Invoicing:
    """Several processes may do this for one database; each month is closed once, each invoice issued once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.control", "invoicing.sql")
        self._first_month = queries["first_month"]
        self._months_of_account = queries["months_of_account"]
        self._database = database
        self._clock = clock
        self._rollup = UsageRollup(database)
        self._report = UsageReport()
        self._transfers = BilledTransfers(database)
        self._closed_months = ClosedMonths()
        self._invoices = Invoices()
        self._usage_mark, self._transfer_mark = Watermark("usage"), Watermark("transfers")

    async def get(self, account: str, month: BillingMonth) -> Invoice:
        """The final invoice, or a draft of this moment. Raises NotFound where the account has nothing in the month."""
        await self._transfers.assign()
        invoice = await self._database.read(lambda connection: self._invoice(connection, account, month))
        if invoice.number is None and not invoice.lines:
            raise NotFound(f"The account {account!r} has no invoice of {month}.")
        return invoice

    async def of_account(self, account: str) -> list[Invoice]:
        """The account's invoices, latest month first."""
        await self._transfers.assign()

        def operation(connection: Connection) -> list[Invoice]:
            months = self._active_months(connection, account)
            return [self._invoice(connection, account, month) for month in sorted(months, reverse=True)]

        return [invoice for invoice in await self._database.read(operation) if invoice.number or invoice.lines]

    async def close(self, month: BillingMonth) -> int:
        """Close ``month``, and those before it that are open, and issue their invoices; returns how many were issued.
        Closing a closed month issues what may be missing. Raises PreconditionFailed when it has not ended."""
        if month.end_ns > self._clock.wall_ns():
            raise PreconditionFailed(f"{month} has not ended yet.")
        await self.catch_up()
        for each in await self._database.look_up(lambda connection: self._to_close(connection, month)):
            await self._database.change(self._closing(each))
        closed = await self._database.look_up(self._closed_months.list)
        return sum([await self._issue(each.month) for each in closed if each.month <= month])

    async def catch_up(self, *, most_steps: int | None = None) -> None:
        """Take what was posted before the call into the sums: all of it, or of usage as much as ``most_steps`` do."""
        await self._rollup.roll_up(most_steps=most_steps)
        await self._transfers.assign()

    def _invoice(self, connection: Connection, account: str, month: BillingMonth) -> Invoice:
        final = self._invoices.find(connection, account, month)
        return final or self._computed(connection, account, month)

    def _computed(self, connection: Connection, account: str, month: BillingMonth) -> Invoice:
        """From the sums as they are; for a month that is open, with what is not in them yet."""
        first_open = self._closed_months.first_open(connection)
        rows = self._report.rows_of_month(connection, account, month, first_open=first_open)
        lines = invoice_lines(
            [_model_usage(*place, sums) for place, sums in grouped(rows, _place).items()],
            prices_by_id(connection),
            gpu=gpu_usage_of_month(connection, account=account, month=month),
            transfers=self._transfers.of_month(connection, account, month),
        )
        return Invoice(account=account, month=month, lines=lines)

    def _active_months(self, connection: Connection, account: str) -> set[BillingMonth]:
        rows = connection.execute(self._months_of_account, {"account": account}).fetchall()
        first_open = self._closed_months.first_open(connection)
        unsummed = {max(month, first_open) for month in self._report.unsummed_months(connection, account)}
        return {BillingMonth(row[0]) for row in rows} | unsummed

    def _to_close(self, connection: Connection, until: BillingMonth) -> list[BillingMonth]:
        """From the first month with anything in it, or the one after the last closed; none before there is anything."""
        first = self._closed_months.first_open(connection)
        if first.number == 0:
            (number,) = connection.execute(self._first_month).fetchone()
            if number is None:
                return []
            first = BillingMonth(int(number))
        return [BillingMonth(number) for number in range(first.number, until.number + 1)]

    def _closing(self, month: BillingMonth) -> "_Closing":
        return _Closing(month, self._clock.wall_ns(), self._usage_mark, self._transfer_mark)

    async def _issue(self, month: BillingMonth) -> int:
        issued = 0
        while invoices := await self._database.read(lambda connection: self._to_issue(connection, month)):
            issued += await self._database.write(partial(self._keep, invoices))
        return issued

    def _to_issue(self, connection: Connection, month: BillingMonth) -> list[Invoice]:
        accounts = self._invoices.accounts_to_issue(connection, month)[:_AT_ONCE]
        return [self._computed(connection, account, month) for account in accounts]

    def _keep(self, invoices: Iterable[Invoice], connection: Connection) -> int:
        self._usage_mark.hold(connection)  # one at a time gives numbers
        missing = [each for each in invoices if self._invoices.find(connection, each.account, each.month) is None]
        self._invoices.issue(connection, missing, issued_ns=self._clock.wall_ns())
        return len(missing)


class _Closing:
    """The operation that closes a month, unless another process has."""

    def __init__(self, month: BillingMonth, now_ns: int, usage_mark: Watermark, transfer_mark: Watermark) -> None:
        self._month = month
        self._now_ns = now_ns
        self._usage_mark = usage_mark
        self._transfer_mark = transfer_mark

    def __call__(self, connection: Connection) -> None:
        usage, transfers = self._usage_mark.hold(connection), self._transfer_mark.hold(connection)
        months = ClosedMonths()
        if months.first_open(connection) <= self._month:
            months.add(connection, ClosedMonth(self._month, self._now_ns, usage, transfers))


def _place(row: UsageRow) -> tuple[str, ServingPath, str]:
    """What usage on one line has in common, but for the kind of token."""
    return row.model, row.serving_path, row.price_id


def _model_usage(model: str, path: ServingPath, price_id: str, sums: UsageSums) -> ModelUsage:
    return ModelUsage(
        model=model,
        serving_path=path,
        price_id=price_id,
        uncached_prompt_tokens=sums.uncached_prompt_tokens,
        cached_prompt_tokens=sums.cached_prompt_tokens,
        generated_tokens=sums.generated_tokens,
        nanodollars=sums.nanodollars,
    )
