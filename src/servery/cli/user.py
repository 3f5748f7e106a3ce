"""``servery user``: who acts for an account."""

import asyncio

import click
import msgspec

from servery.cli.auditing import noted
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.core.clock import SystemClock, rfc3339
from servery.core.role import Role
from servery.settings import Settings
from servery.tenancy.accounts import Accounts
from servery.tenancy.audit_log import AuditLog
from servery.tenancy.users import User, Users

_ROLE = click.Choice([role.value for role in Role])


@click.group("user")
def user_group() -> None:
    """Create, list, change and delete the users of an account."""


@user_group.command("create")
@click.argument("user_id")
@click.option("--account", required=True, metavar="ID", help="The account.")
@click.option("--role", type=_ROLE, default=Role.USER.value, show_default=True, help="What the user may do.")
@click.option("--display-name", default="", metavar="TEXT", help="The user's name for people.")
@click.option("--email", default="", metavar="ADDRESS", help="The user's e-mail address.")
@click.option("--service-account", is_flag=True, help="The user is no person; its address is made up.")
@data_dir_option
def create_command(
    user_id: str,
    account: str,
    settings: Settings,
    *,
    role: str,
    display_name: str,
    email: str,
    service_account: bool,
) -> None:
    """Add the user USER_ID to an account."""

    async def create() -> User:
        async with existing_database(settings) as database:
            await Accounts(database, SystemClock()).get(account)
            made_up = f"{user_id}@{account}.sa.{settings.platform_domain}"
            change = Users(database, SystemClock()).create(
                account,
                user_id,
                display_name=display_name,
                email=made_up if service_account else email,
                role=Role(role),
                service_account=service_account,
            )
            audit = AuditLog(database, SystemClock())
            return await noted(audit, change, account=account, resource=f"accounts/{account}/users/{user_id}")

    created = asyncio.run(create())
    click.echo(f"created the {created.role} {created.id} of {account}")


@user_group.command("list")
@click.option("--account", required=True, metavar="ID", help="The account.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def list_command(account: str, settings: Settings, *, as_json: bool) -> None:
    """List the users of an account."""

    async def users_of_account() -> list[User]:
        async with existing_database(settings) as database:
            await Accounts(database, SystemClock()).get(account)
            return await Users(database, SystemClock()).list(account)

    users = asyncio.run(users_of_account())
    if as_json:
        click.echo(msgspec.json.encode(users).decode())
        return
    show_table(
        ("USER", "ROLE", "SERVICE ACCOUNT", "CREATED", "EMAIL", "DISPLAY NAME"),
        [
            (
                user.id,
                user.role,
                "yes" if user.service_account else "no",
                rfc3339(user.created_ns),
                user.email or None,
                user.display_name or None,
            )
            for user in users
        ],
    )


@user_group.command("update")
@click.argument("user_id")
@click.option("--account", required=True, metavar="ID", help="The account.")
@click.option("--role", type=_ROLE, help="What the user may do.")
@click.option("--display-name", metavar="TEXT", help="The user's name for people.")
@click.option("--email", metavar="ADDRESS", help="The user's e-mail address.")
@data_dir_option
def update_command(
    user_id: str, account: str, settings: Settings, *, role: str | None, display_name: str | None, email: str | None
) -> None:
    """Change the user USER_ID: what is not given stays."""

    async def update() -> None:
        async with existing_database(settings) as database:
            change = Users(database, SystemClock()).update(
                account,
                user_id,
                display_name=display_name,
                email=email,
                role=None if role is None else Role(role),
            )
            audit = AuditLog(database, SystemClock())
            await noted(audit, change, account=account, resource=f"accounts/{account}/users/{user_id}")

    asyncio.run(update())
    click.echo(f"updated {user_id}")


@user_group.command("delete")
@click.argument("user_id")
@click.option("--account", required=True, metavar="ID", help="The account.")
@data_dir_option
def delete_command(user_id: str, account: str, settings: Settings) -> None:
    """Delete the user USER_ID and revoke its keys."""

    async def delete() -> None:
        async with existing_database(settings) as database:
            change = Users(database, SystemClock()).delete(account, user_id)
            audit = AuditLog(database, SystemClock())
            await noted(audit, change, account=account, resource=f"accounts/{account}/users/{user_id}")

    asyncio.run(delete())
    click.echo(f"deleted {user_id}")
