"""``servery limits``: limits that the operator fixes for an account."""

import asyncio
from collections.abc import Mapping

import click
import msgspec

from servery.cli.auditing import noted
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.table import show_table
from servery.core.clock import SystemClock
from servery.limits.custom_limits import CustomLimits
from servery.limits.fixed_limits import FixedLimits
from servery.limits.limiter import LimitKey
from servery.settings import Settings
from servery.tenancy.audit_log import AuditLog


class FixedRow(msgspec.Struct, kw_only=True):
    """What ``limits show --json`` prints for each account and model; null adapts."""

    account: str
    model: str
    prompt_tokens_per_minute: int | None
    uncached_prompt_tokens_per_minute: int | None
    generated_tokens_per_minute: int | None


@click.group("limits")
def limits_group() -> None:
    """Fix, show and clear limits of accounts. What is not fixed adapts to use."""


@limits_group.command("set")
@click.argument("model")
@click.option("--account", required=True, metavar="ID", help="The account.")
@click.option("--prompt", type=click.IntRange(1), metavar="N", help="Prompt tokens per minute.")
@click.option("--uncached-prompt", type=click.IntRange(1), metavar="N", help="Uncached prompt tokens per minute.")
@click.option("--generated", type=click.IntRange(1), metavar="N", help="Generated tokens per minute.")
@data_dir_option
def set_command(
    model: str,
    account: str,
    settings: Settings,
    *,
    prompt: int | None,
    uncached_prompt: int | None,
    generated: int | None,
) -> None:
    """Fix limits of an account for MODEL, the full name of a model or router. Those that are not named adapt."""
    custom = CustomLimits(
        prompt_tokens_per_minute=prompt,
        uncached_prompt_tokens_per_minute=uncached_prompt,
        generated_tokens_per_minute=generated,
    )

    async def fix() -> None:
        async with existing_database(settings) as database:
            clock = SystemClock()
            change = FixedLimits(database, clock).fix(account, model, custom)
            resource = f"accounts/{account}/serverlessRateLimits/{model}"
            await noted(AuditLog(database, clock), change, account=account, resource=resource)

    asyncio.run(fix())
    click.echo(f"fixed limits of {account} for {model}")


@limits_group.command("show")
@click.option("--account", metavar="ID", help="Only this account's limits.  [default: all accounts]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def show_command(account: str | None, settings: Settings, *, as_json: bool) -> None:
    """Show the limits that are fixed, in tokens per minute."""

    async def all_fixed() -> Mapping[LimitKey, CustomLimits]:
        async with existing_database(settings) as database:
            return await FixedLimits(database, SystemClock()).all()

    fixed = asyncio.run(all_fixed())
    rows = [
        FixedRow(account=owner, model=model, **msgspec.structs.asdict(custom))
        for (owner, model), custom in fixed.items()
        if account in {None, owner}
    ]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    show_table(
        ("ACCOUNT", "MODEL", "PROMPT", "UNCACHED PROMPT", "GENERATED"), [msgspec.structs.astuple(row) for row in rows]
    )


@limits_group.command("clear")
@click.argument("model")
@click.option("--account", required=True, metavar="ID", help="The account.")
@data_dir_option
def clear_command(model: str, account: str, settings: Settings) -> None:
    """Let the limits of an account for MODEL adapt again."""

    async def free() -> None:
        async with existing_database(settings) as database:
            clock = SystemClock()
            change = FixedLimits(database, clock).free(account, model)
            resource = f"accounts/{account}/serverlessRateLimits/{model}"
            await noted(AuditLog(database, clock), change, account=account, resource=resource)

    asyncio.run(free())
    click.echo(f"cleared limits of {account} for {model}")
