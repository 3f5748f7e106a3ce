"""``servery credit``: money that accounts have before they spend it."""

import asyncio

import click

from servery.cli.auditing import noted
from servery.cli.books import open_books
from servery.cli.data_directory import data_dir_option
from servery.cli.dollars import DollarsAsNano
from servery.cli.moments import DurationNs
from servery.cli.table import show_table
from servery.control.credit_codes import CreatedCode, CreditCode
from servery.control.credits import Credit
from servery.core.clock import SystemClock, rfc3339
from servery.core.money import format_dollars
from servery.settings import Settings
from servery.tenancy.audit_log import PLATFORM


@click.group("credit")
def credit_group() -> None:
    """Give credits, make and list codes."""


@credit_group.command("grant")
@click.argument("account_id")
@click.argument("nanodollars", metavar="DOLLARS", type=DollarsAsNano())
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@data_dir_option
def grant_command(account_id: str, nanodollars: int, settings: Settings, *, description: str) -> None:
    """Give the account ACCOUNT_ID a credit of DOLLARS. Its transfer's id is printed."""

    async def grant() -> Credit:
        async with open_books(settings) as books:
            change = books.credits.grant(account_id, nanodollars, description=description)
            return await noted(books.audit, change, account=account_id, resource=f"accounts/{account_id}/credits")

    click.echo(asyncio.run(grant()).id)


@credit_group.command("list")
@click.argument("account_id")
@data_dir_option
def list_command(account_id: str, settings: Settings) -> None:
    """List the credits that the account ACCOUNT_ID was given, and what is left."""

    async def look() -> tuple[list[Credit], int]:
        async with open_books(settings) as books:
            standing = await books.review.standing(account_id)
            return await books.credits.list(account_id), standing.credits_left_nanodollars

    given, left = asyncio.run(look())
    rows = [
        (credit.id, format_dollars(credit.nanodollars), rfc3339(credit.created_ns), credit.code_id, credit.description)
        for credit in given
    ]
    show_table(
        ("TRANSFER", "DOLLARS", "GIVEN", "CODE", "DESCRIPTION"), [*rows, ("left", format_dollars(left), "", "", "")]
    )


@credit_group.command("create-code")
@click.argument("nanodollars", metavar="DOLLARS", type=DollarsAsNano())
@click.option("--redemptions", default=1, show_default=True, metavar="NUMBER", help="How many accounts may redeem it.")
@click.option("--expires-in", "expires_in_ns", type=DurationNs(), help="Such as 30d or 12h.  [default: never]")
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@data_dir_option
def create_code_command(
    nanodollars: int, settings: Settings, *, redemptions: int, expires_in_ns: int | None, description: str
) -> None:
    """Make a code that is worth DOLLARS and print it. It is shown this once; only its hash is kept."""
    expires_ns = None if expires_in_ns is None else SystemClock().wall_ns() + expires_in_ns

    async def create() -> CreatedCode:
        async with open_books(settings) as books:
            change = books.codes.create(
                nanodollars, description=description, redemptions_max=redemptions, expires_ns=expires_ns
            )
            return await noted(books.audit, change, account=PLATFORM, resource="creditCodes")

    created = asyncio.run(create())
    click.echo(created.code)
    click.echo(f"{created.credit_code.id}; keep it: it is not shown again.", err=True)


@credit_group.command("list-codes")
@data_dir_option
def list_codes_command(settings: Settings) -> None:
    """List all codes."""

    async def look() -> list[CreditCode]:
        async with open_books(settings) as books:
            return await books.codes.list()

    show_table(
        ("CODE", "BEGINS WITH", "DOLLARS", "REDEEMED", "OF", "STATE", "DESCRIPTION"),
        [
            (
                code.id,
                code.prefix,
                format_dollars(code.nanodollars),
                code.redemptions,
                code.redemptions_max,
                _state(code, SystemClock().wall_ns()),
                code.description or None,
            )
            for code in asyncio.run(look())
        ],
    )


@credit_group.command("disable-code")
@click.argument("code_id")
@data_dir_option
def disable_code_command(code_id: str, settings: Settings) -> None:
    """Let the code CODE_ID be redeemed no more."""

    async def disable() -> None:
        async with open_books(settings) as books:
            change = books.codes.disable(code_id)
            await noted(books.audit, change, account=PLATFORM, resource=f"creditCodes/{code_id}")

    asyncio.run(disable())
    click.echo(f"disabled {code_id}")


def _state(code: CreditCode, now_ns: int) -> str:
    if code.disabled_ns is not None:
        return "disabled"
    if code.redemptions == code.redemptions_max:
        return "used up"
    if code.expires_ns is None:
        return "active"
    return f"until {rfc3339(code.expires_ns)}" if now_ns < code.expires_ns else "expired"
