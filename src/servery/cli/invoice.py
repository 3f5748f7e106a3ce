"""``servery invoice``: what accounts owe, month by month."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.invoice import Invoice, InvoiceLine, InvoiceState, LineKind
from servery.cli.auditing import noted
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.control.invoice_text import invoice_csv, invoice_name, invoice_page
from servery.control.invoicing import Invoicing
from servery.core.clock import SystemClock, rfc3339
from servery.core.money import format_dollars, format_picodollars, format_price
from servery.settings import Settings
from servery.tenancy.audit_log import PLATFORM, AuditLog

Answer = TypeVar("Answer")


class MonthParameter(click.ParamType[BillingMonth]):
    """A month such as ``2026-11``."""

    name = "month"

    def convert(
        self, value: str | BillingMonth, param: click.Parameter | None, ctx: click.Context | None
    ) -> BillingMonth:
        if isinstance(value, BillingMonth):
            return value
        try:
            return BillingMonth.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class InvoiceOutput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A row of ``invoice list --json``; ``dollars`` has all nine decimals."""

    account: str
    month: str
    state: InvoiceState
    nanodollars: int
    dollars: str
    number: str | None = None
    issued: str | None = None


@click.group("invoice")
def invoice_group() -> None:
    """Show invoices, and close months."""


@invoice_group.command("list")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def list_command(account: str, settings: Settings, *, as_json: bool) -> None:
    """List the invoices of ACCOUNT, latest month first."""
    rows = [_output(invoice) for invoice in _with_books(settings, lambda invoicing: invoicing.of_account(account))]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    show_table(
        ("MONTH", "STATE", "NUMBER", "ISSUED", "DOLLARS"),
        [(row.month, row.state, row.number, row.issued, row.dollars) for row in rows],
    )


@invoice_group.command("show")
@click.argument("account")
@click.argument("month", type=MonthParameter())
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "html"]),
    default="text",
    help="Text, CSV, or a page to print.  [default: text]",
)
@data_dir_option
def show_command(account: str, month: BillingMonth, form: str, settings: Settings) -> None:
    """Show the invoice of ACCOUNT of MONTH, such as 2026-11."""
    invoice = _with_books(settings, lambda invoicing: invoicing.get(account, month))
    if form == "csv":
        click.echo(invoice_csv(invoice), nl=False)
    elif form == "html":
        click.echo(invoice_page(invoice), nl=False)
    else:
        click.echo(f"{invoice_name(invoice)}, {account}, {month}, {invoice.state}")
        lines = [_cells(line) for line in invoice.lines]
        total = ("total", "", "", "", f"{format_dollars(invoice.total_nanodollars)}000")
        show_table(("WHAT", "PATH", "QUANTITY", "PER MILLION", "DOLLARS"), [*lines, total])


@invoice_group.command("close")
@click.argument("month", type=MonthParameter())
@data_dir_option
def close_command(month: BillingMonth, settings: Settings) -> None:
    """Close MONTH, such as 2026-11, and those before it: their invoices become final."""

    async def close() -> int:
        async with existing_database(settings) as database:
            clock = SystemClock()
            change = Invoicing(database, clock).close(month)
            return await noted(AuditLog(database, clock), change, account=PLATFORM, resource=f"invoices/{month}")

    issued = asyncio.run(close())
    click.echo(f"{month} is closed; {issued} invoices issued")


def _with_books(settings: Settings, use: Callable[[Invoicing], Awaitable[Answer]]) -> Answer:
    async def answer() -> Answer:
        async with existing_database(settings) as database:
            return await use(Invoicing(database, SystemClock()))

    return asyncio.run(answer())


def _output(invoice: Invoice) -> InvoiceOutput:
    return InvoiceOutput(
        account=invoice.account,
        month=str(invoice.month),
        state=invoice.state,
        nanodollars=invoice.total_nanodollars,
        dollars=format_dollars(invoice.total_nanodollars),
        number=None if invoice.number is None else invoice_name(invoice),
        issued=None if invoice.issued_ns is None else rfc3339(invoice.issued_ns),
    )


def _cells(line: InvoiceLine) -> tuple[str, str, int | str, str, str]:
    is_tokens = line.kind is LineKind.TOKENS
    what = f"{line.subject} {line.token_kind}" if is_tokens else " ".join(filter(None, (line.kind, line.subject)))
    unit = format_price(line.unit_picodollars or 0) if is_tokens else ""
    path = line.detail if line.serving_path is None else line.serving_path.value
    return what, path, line.quantity, unit, format_picodollars(line.picodollars)
