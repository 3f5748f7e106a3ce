"""``servery account``: the tenants."""

import asyncio

import click
import msgspec

from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.control.open_account import open_account
from servery.core.clock import SystemClock, rfc3339
from servery.core.suspend_state import SuspendState
from servery.settings import Settings
from servery.store.database import Database
from servery.tenancy.accounts import Account, Accounts


@click.group("account")
def account_group() -> None:
    """Open, list, suspend and resume accounts."""


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
        async with Database.open(settings.database_file) as database:
            return await open_account(database, clock, account_id, display_name=display_name, email=email)

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
        async with existing_database(settings) as database:
            await Accounts(database, SystemClock()).suspend(account_id, SuspendState(reason))

    asyncio.run(suspend())
    click.echo(f"suspended the account {account_id}: {reason}")


@account_group.command("resume")
@click.argument("account_id")
@data_dir_option
def resume_command(account_id: str, settings: Settings) -> None:
    """Let the account ACCOUNT_ID work again."""

    async def resume() -> None:
        async with existing_database(settings) as database:
            await Accounts(database, SystemClock()).resume(account_id)

    asyncio.run(resume())
    click.echo(f"resumed the account {account_id}")
