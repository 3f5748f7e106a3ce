"""``servery account``: the tenants."""

import asyncio

import click
import msgspec

from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.control.open_account import open_account
from servery.core.clock import SystemClock, rfc3339
from servery.settings import Settings
from servery.store.database import Database
from servery.tenancy.accounts import Account, Accounts


@click.group("account")
def account_group() -> None:
    """Open and list accounts."""


@account_group.command("create")
@click.argument("account_id")
@click.option("--display-name", default="", metavar="TEXT", help="The account's name for people.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as a JSON object.")
@data_dir_option
def create_command(account_id: str, display_name: str, settings: Settings, *, as_json: bool) -> None:
    """Open the account ACCOUNT_ID."""
    clock = SystemClock()

    async def create() -> Account:
        async with Database.open(settings.database_file) as database:
            return await open_account(database, clock, account_id, display_name=display_name)

    account = asyncio.run(create())
    click.echo(msgspec.json.encode(account).decode() if as_json else f"opened the account {account.id}")


@account_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def list_command(settings: Settings, *, as_json: bool) -> None:
    """List all accounts."""

    async def all_accounts() -> list[Account]:
        async with existing_database(settings) as database:
            return Accounts(database, SystemClock()).list()

    accounts = asyncio.run(all_accounts())
    if as_json:
        click.echo(msgspec.json.encode(accounts).decode())
        return
    show_table(
        ("ACCOUNT", "STATE", "SPEND TIER", "OPENED", "DISPLAY NAME"),
        [
            (account.id, account.state, account.spend_tier, rfc3339(account.created_ns), account.display_name or None)
            for account in accounts
        ],
    )
