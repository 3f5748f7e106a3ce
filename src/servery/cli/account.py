"""``servery account``: the tenants."""

import asyncio

import click
import msgspec

from servery.billing.spend_tiers import TIERS
from servery.billing.standing import Standing
from servery.cli.auditing import noted
from servery.cli.books import open_books
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.control.open_account import open_account
from servery.core.clock import SystemClock, rfc3339
from servery.core.money import format_dollars
from servery.core.suspend_state import SuspendState
from servery.settings import Settings
from servery.store.database import Database
from servery.tenancy.accounts import Account, Accounts
from servery.tenancy.audit_log import AuditLog


@click.group("account")
def account_group() -> None:
    """Open, list, suspend and resume accounts, and say what they may spend."""


@account_group.command("create")
@click.argument("account_id")
@click.option("--display-name", default="", metavar="TEXT", help="The account's name for people.")
@click.option("--email", default="", metavar="ADDRESS", help="Where notices of the account go.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as a JSON object.")
@data_dir_option
def create_command(account_id: str, display_name: str, email: str, settings: Settings, *, as_json: bool) -> None:
    """Open the account ACCOUNT_ID."""
    clock = SystemClock()

    async def create() -> Account:
        async with Database.open(settings.database_place) as database:
            opening = open_account(database, clock, account_id, display_name=display_name, email=email)
            return await noted(
                AuditLog(database, clock), opening, account=account_id, resource=f"accounts/{account_id}"
            )

    account = asyncio.run(create())
    click.echo(msgspec.json.encode(account).decode() if as_json else f"opened the account {account.id}")


@account_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def list_command(settings: Settings, *, as_json: bool) -> None:
    """List all accounts."""

    async def all_accounts() -> list[Account]:
        async with existing_database(settings) as database:
            return await Accounts(database, SystemClock()).list()

    accounts = asyncio.run(all_accounts())
    if as_json:
        click.echo(msgspec.json.encode(accounts).decode())
        return
    show_table(
        ("ACCOUNT", "STATE", "SPEND TIER", "OPENED", "DISPLAY NAME"),
        [
            (
                account.id,
                account.suspend_state,
                account.spend_tier,
                rfc3339(account.created_ns),
                account.display_name or None,
            )
            for account in accounts
        ],
    )


@account_group.command("suspend")
@click.argument("account_id")
@click.option(
    "--reason",
    type=click.Choice([state.value for state in SuspendState if state is not SuspendState.UNSUSPENDED]),
    default=SuspendState.BLOCKED_BY_ABUSE_RULE.value,
    show_default=True,
    help="What the account is told.",
)
@data_dir_option
def suspend_command(account_id: str, reason: str, settings: Settings) -> None:
    """Refuse all inference of the account ACCOUNT_ID until it is resumed."""

    async def suspend() -> None:
        async with open_books(settings) as books:
            change = books.review.suspend(account_id, SuspendState(reason))
            await noted(books.audit, change, account=account_id, resource=f"accounts/{account_id}")

    asyncio.run(suspend())
    click.echo(f"suspended the account {account_id}: {reason}")


@account_group.command("resume")
@click.argument("account_id")
@data_dir_option
def resume_command(account_id: str, settings: Settings) -> None:
    """Let the account ACCOUNT_ID work again."""

    async def resume() -> None:
        async with open_books(settings) as books:
            change = books.review.suspend(account_id, SuspendState.UNSUSPENDED)
            await noted(books.audit, change, account=account_id, resource=f"accounts/{account_id}")

    asyncio.run(resume())
    click.echo(f"resumed the account {account_id}")


@account_group.command("pin-tier")
@click.argument("account_id")
@click.argument("tier", type=click.IntRange(1, TIERS), required=False)
@data_dir_option
def pin_tier_command(account_id: str, tier: int | None, settings: Settings) -> None:
    """Give the account ACCOUNT_ID the spend tier TIER for good; without TIER it rises by itself again."""

    async def pin() -> Account:
        async with open_books(settings) as books:
            change = books.limit.pin_tier(account_id, tier)
            return await noted(books.audit, change, account=account_id, resource=f"accounts/{account_id}")

    account = asyncio.run(pin())
    click.echo(f"{account_id} has spend tier {account.spend_tier}{', pinned' if account.tier_pinned else ''}")


@account_group.command("set-billing")
@click.argument("account_id")
@click.argument("billing", type=click.Choice(["prepaid", "postpaid"]))
@data_dir_option
def set_billing_command(account_id: str, billing: str, settings: Settings) -> None:
    """Let the account ACCOUNT_ID spend its credits alone (prepaid), or owe up to its budget as well (postpaid)."""

    async def change() -> None:
        async with open_books(settings) as books:
            change = books.limit.set_prepaid(account_id, prepaid=billing == "prepaid")
            await noted(books.audit, change, account=account_id, resource=f"accounts/{account_id}")

    asyncio.run(change())
    click.echo(f"{account_id} is {billing}")


@account_group.command("limit")
@click.argument("account_id")
@click.argument("dollars", type=click.IntRange(0, 10**9))
@data_dir_option
def limit_command(account_id: str, dollars: int, settings: Settings) -> None:
    """Let the account ACCOUNT_ID spend at most DOLLARS in a month; the highest it may is no limit of its own."""

    async def change() -> None:
        async with open_books(settings) as books:
            resource = f"accounts/{account_id}/quotas/monthly-spend-usd"
            await noted(books.audit, books.limit.set(account_id, dollars), account=account_id, resource=resource)

    asyncio.run(change())
    click.echo(f"{account_id} may spend {dollars} dollars in a month")


@account_group.command("show")
@click.argument("account_id")
@data_dir_option
def show_command(account_id: str, settings: Settings) -> None:
    """Show what the account ACCOUNT_ID has spent in this month (UTC) and may spend."""

    async def look() -> Standing:
        async with open_books(settings) as books:
            return await books.review.standing(account_id)

    standing = asyncio.run(look())
    show_table(
        ("MONEY", "DOLLARS"),
        [
            ("spent this month", format_dollars(standing.spent_nanodollars)),
            ("of which by credits", format_dollars(standing.credit_used_nanodollars)),
            ("may spend this month", format_dollars(standing.limit_nanodollars)),
            ("credits left", format_dollars(standing.credits_left_nanodollars)),
            ("spent or added in all", format_dollars(standing.qualifying_nanodollars)),
        ],
    )
