"""``servery ledger``: the books."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Final

import click
import msgspec

from servery.cli.auditing import noted
from servery.cli.books import open_books
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.control.books_report import BooksReport, Finding
from servery.control.rebuild_projections import RebuiltProjections
from servery.control.verify_books import verify
from servery.core.clock import SystemClock, rfc3339
from servery.core.money import format_dollars
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer
from servery.metering.cut_requests import CutRequest, acknowledge_cut_requests
from servery.metering.journal import open_requests
from servery.metering.open_request import OpenRequest
from servery.metering.spool_contents import SpoolContents, SpooledPostings
from servery.settings import Settings
from servery.tenancy.audit_log import PLATFORM, AuditLog

BOOKS_DO_NOT_HOLD_STATUS: Final = 1


class BooksOutput(msgspec.Struct, kw_only=True):
    """What ``ledger verify --json`` prints; ``charged_dollars`` has all nine decimals.

    ``open_requests`` stand in the journal of this data directory: an engine works on them now, or the platform was
    killed and has not been started again. ``cut_requests`` were found by a start and not yet acknowledged. ``spooled``
    is what this data directory's platform has charged and not yet brought into the database. ``holds`` is false also
    where some of that is lost."""

    holds: bool
    usage_records: int
    transfers: int
    ledger_accounts: int
    invoices: int
    charged_nanodollars: int
    charged_dollars: str
    findings: tuple[Finding, ...]
    cut_requests: tuple[CutRequest, ...]
    open_requests: tuple[OpenRequest, ...]
    spooled: SpoolContents


class BalanceOutput(msgspec.Struct):
    """A row of ``ledger balances --json``: debits less credits."""

    ledger_account: str
    nanodollars: int
    dollars: str


@click.group("ledger")
def ledger_group() -> None:
    """Look at the books, verify and correct them."""


@ledger_group.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@data_dir_option
def verify_command(settings: Settings, *, as_json: bool) -> None:
    """Compute every charge and balance anew from usage records and price versions.

    The exit status is 0 if the books hold to the nano-dollar, 1 if they do not, 2 if they cannot be examined.
    """

    async def examine() -> tuple[BooksReport, SpoolContents]:
        async with existing_database(settings) as database:
            spooled = SpooledPostings.read(settings.spool_directory)
            posted = spooled.posted_in(database.reader)
            return verify(database), spooled.without(posted)

    (report, waiting), still_open = asyncio.run(examine()), open_requests(settings.journal_directory)
    holds = report.holds and waiting.lost == 0
    if as_json:
        facts = {name: getattr(report, name) for name in report.__struct_fields__}
        dollars = format_dollars(report.charged_nanodollars)
        output = BooksOutput(
            holds=holds, charged_dollars=dollars, open_requests=tuple(still_open), spooled=waiting, **facts
        )
        click.echo(msgspec.json.encode(output).decode())
    else:
        _show(report, still_open, waiting)
    if not holds:
        sys.exit(BOOKS_DO_NOT_HOLD_STATUS)


@ledger_group.command("acknowledge")
@data_dir_option
def acknowledge_command(settings: Settings) -> None:
    """Tell no more of the requests that were cut when a platform ended."""

    async def acknowledge() -> int:
        async with existing_database(settings) as database:
            clock = SystemClock()
            change = acknowledge_cut_requests(database, clock)
            return await noted(AuditLog(database, clock), change, account=PLATFORM, resource="cutRequests")

    click.echo(f"{asyncio.run(acknowledge())} cut requests acknowledged")


@ledger_group.command("rebuild")
@data_dir_option
def rebuild_command(settings: Settings) -> None:
    """Compute what is derived from usage records and transfers anew: balances, and the months that budgets go by."""

    async def rebuild() -> RebuiltProjections:
        async with open_books(settings) as books:
            return await noted(books.audit, books.projections.rebuild(), account=PLATFORM, resource="balances")

    rebuilt = asyncio.run(rebuild())
    click.echo(f"{rebuilt.balances} balances and {rebuilt.spending_months} months of accounts were wrong")


@ledger_group.command("balances")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def balances_command(settings: Settings, *, as_json: bool) -> None:
    """Show the balance of every ledger account: debits less credits, in dollars. They sum to zero."""

    async def balances() -> dict[str, int]:
        async with existing_database(settings) as database:
            return Ledger(database, SystemClock()).balances_nanodollars()

    rows = [BalanceOutput(name, amount, format_dollars(amount)) for name, amount in asyncio.run(balances()).items()]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
    else:
        show_table(("LEDGER ACCOUNT", "DOLLARS"), [(row.ledger_account, row.dollars) for row in rows])


@ledger_group.command("reverse")
@click.argument("transfer_id")
@data_dir_option
def reverse_command(transfer_id: str, settings: Settings) -> None:
    """Undo the transfer TRANSFER_ID, a charge or a credit, by a second one. Reversing again changes nothing."""

    async def reverse() -> Transfer:
        async with open_books(settings) as books:
            account = await books.reversal.account_of(transfer_id)
            change = books.reversal.reverse(transfer_id)
            return await noted(books.audit, change, account=account, resource=f"transfers/{transfer_id}")

    reversal = asyncio.run(reverse())
    click.echo(f"{reversal.id}: {format_dollars(reversal.nanodollars)} dollars")


def _show(report: BooksReport, still_open: Sequence[OpenRequest], waiting: SpoolContents) -> None:
    click.echo(
        f"{report.usage_records} usage records, {report.transfers} transfers, {report.ledger_accounts} ledger accounts,"
        f" {format_dollars(report.charged_nanodollars)} dollars charged"
    )
    if waiting.requests:
        click.echo(
            f"{waiting.requests} charges, {format_dollars(waiting.nanodollars)} dollars, wait in the spool of this data"
            f" directory and are not in the books yet; {waiting.refused} of them the books did not take"
        )
    if waiting.lost:
        click.echo(
            f"{waiting.lost} charges were kept in the spool of this data directory and cannot be read any more:"
            " its disk has changed them"
        )
    if still_open:
        click.echo(f"{len(still_open)} open requests: in flight now, or cut when the platform ended; not charged")
    if report.cut_requests:
        first, last = (rfc3339(report.cut_requests[index].opened_ns) for index in (0, -1))
        click.echo(
            f"{len(report.cut_requests)} requests were cut between {first} and {last} when a platform ended;"
            " not charged (servery ledger acknowledge: tell of them no more)"
        )
    if report.holds:
        click.echo("the books hold, without the charges that are lost" if waiting.lost else "the books hold")
        return
    click.echo(f"the books do not hold: {len(report.findings)} findings")
    show_table(
        ("FINDING", "SUBJECT", "EXPECTED", "FOUND"),
        [
            (
                finding.kind,
                finding.subject,
                _dollars(finding.expected_nanodollars),
                _dollars(finding.found_nanodollars),
            )
            for finding in report.findings
        ],
    )


def _dollars(nanodollars: int | None) -> str | None:
    return None if nanodollars is None else format_dollars(nanodollars)
