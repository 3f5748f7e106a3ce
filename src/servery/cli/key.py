"""``servery key``: API keys."""

import asyncio

import click
import msgspec

from servery.cli.auditing import noted
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.moments import DurationNs
from servery.cli.table import show_table
from servery.control.open_account import create_key
from servery.core.caller import FIRST_USER
from servery.core.clock import SystemClock, rfc3339
from servery.settings import Settings
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.tenancy.api_keys import ApiKey, ApiKeys, CreatedKey
from servery.tenancy.audit_log import AuditLog


class KeyOutput(msgspec.Struct):
    """What ``key create --json`` prints; ``expires`` is RFC 3339, or null for a key that does not."""

    key: str
    key_id: str
    account: str
    expires: str | None


@click.group("key")
def key_group() -> None:
    """Create, list and revoke API keys."""


@key_group.command("create")
@click.option("--account", required=True, metavar="ID", help="The account; it is opened if it is new.")
@click.option("--user", default=FIRST_USER, show_default=True, metavar="ID", help="The user who owns the key.")
@click.option("--display-name", default="", metavar="TEXT", help="What the key is for.")
@click.option("--expires-in", "expires_in_ns", type=DurationNs(), help="Such as 30d or 12h.  [default: never]")
@click.option("--admin", is_flag=True, help="The key may operate the platform: see and open all accounts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@data_dir_option
def create_command(
    account: str,
    user: str,
    display_name: str,
    expires_in_ns: int | None,
    settings: Settings,
    *,
    admin: bool,
    as_json: bool,
) -> None:
    """Create an API key and print it. It is shown this once; only its hash is kept."""
    clock = SystemClock()
    expires_ns = None if expires_in_ns is None else clock.wall_ns() + expires_in_ns

    async def create() -> CreatedKey:
        async with Database.open(settings.database_place) as database:
            is_new = not await Accounts(database, clock).exists(account)
            creation = create_key(
                database,
                clock,
                account,
                open_if_new=True,
                user=user,
                display_name=display_name,
                expires_ns=expires_ns,
                admin=admin,
            )
            resource = f"accounts/{account}/users/{user}/apiKeys"
            created = await noted(AuditLog(database, clock), creation, account=account, resource=resource)
        if is_new:
            click.echo(f"opened the account {account}", err=True)
        return created

    created = asyncio.run(create())
    expires = None if created.api_key.expires_ns is None else rfc3339(created.api_key.expires_ns)
    if as_json:
        output = KeyOutput(created.key, created.api_key.key_id, account, expires)
        click.echo(msgspec.json.encode(output).decode())
        return
    click.echo(created.key)
    ends = "it does not expire" if expires is None else f"it expires at {expires}"
    click.echo(f"{created.api_key.key_id} of {account}; {ends}. Keep it: it is not shown again.", err=True)


@key_group.command("list")
@click.option("--account", metavar="ID", help="Only this account's keys.  [default: all accounts]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def list_command(account: str | None, settings: Settings, *, as_json: bool) -> None:
    """List API keys, those revoked and expired included."""
    clock = SystemClock()

    async def keys_of_accounts() -> list[ApiKey]:
        async with existing_database(settings) as database:
            accounts, keys = Accounts(database, clock), ApiKeys(database, clock)
            chosen = await accounts.list() if account is None else [await accounts.get(account)]
            return [key for each in chosen for key in await keys.list(each.id)]

    keys = asyncio.run(keys_of_accounts())
    if as_json:
        click.echo(msgspec.json.encode(keys).decode())
        return
    show_table(
        ("KEY ID", "ACCOUNT", "USER", "BEGINS WITH", "STATE", "ADMIN", "CREATED", "LAST USED", "DISPLAY NAME"),
        [
            (
                key.key_id,
                key.account,
                key.user,
                key.prefix,
                _state(key, clock.wall_ns()),
                "yes" if key.admin else "no",
                rfc3339(key.created_ns),
                None if key.last_used_ns is None else rfc3339(key.last_used_ns),
                key.display_name or None,
            )
            for key in keys
        ],
    )


@key_group.command("revoke")
@click.argument("key_id")
@click.option("--account", required=True, metavar="ID", help="The account that the key belongs to.")
@data_dir_option
def revoke_command(key_id: str, account: str, settings: Settings) -> None:
    """Revoke the key KEY_ID: it is refused from now on. Revoking again changes nothing."""

    async def revoke() -> None:
        async with existing_database(settings) as database:
            change, audit = ApiKeys(database, SystemClock()).revoke(account, key_id), AuditLog(database, SystemClock())
            await noted(audit, change, account=account, resource=f"accounts/{account}/apiKeys/{key_id}")

    asyncio.run(revoke())
    click.echo(f"revoked {key_id}")


def _state(key: ApiKey, now_ns: int) -> str:
    if key.revoked_ns is not None:
        return "revoked"
    if key.expires_ns is None:
        return "active"
    return f"until {rfc3339(key.expires_ns)}" if now_ns < key.expires_ns else "expired"
