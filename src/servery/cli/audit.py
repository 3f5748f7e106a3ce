"""``servery audit``: who has changed what."""

import asyncio

import click
import msgspec

from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.core.clock import SystemClock, rfc3339
from servery.settings import Settings
from servery.tenancy.audit_log import PLATFORM, AuditEntry, AuditLog


@click.command("audit")
@click.argument("account_id", required=False, default=PLATFORM)
@click.option("--most", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many entries.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def audit_command(account_id: str, most: int, settings: Settings, *, as_json: bool) -> None:
    """Show the latest changes to the account ACCOUNT_ID, or those to the platform as a whole, newest first."""

    async def look() -> list[AuditEntry]:
        async with existing_database(settings) as database:
            return await AuditLog(database, SystemClock()).list(account_id, most=most)

    entries = asyncio.run(look())
    if as_json:
        click.echo(msgspec.json.encode(entries).decode())
        return
    show_table(
        ("TIME", "PRINCIPAL", "METHOD", "RESOURCE", "STATUS", "MESSAGE"),
        [
            (
                rfc3339(entry.created_ns),
                entry.principal,
                entry.method,
                entry.resource,
                entry.status,
                entry.message or None,
            )
            for entry in entries
        ],
    )
