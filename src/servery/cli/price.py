"""``servery price``: what tokens cost, and what they will."""

import asyncio

import click
import msgspec

from servery.billing.price_changes import PriceChange, PriceChanges
from servery.billing.price_versions import PriceVersion, PriceVersions
from servery.catalog.price_row import PricePerToken, PriceRow
from servery.cli.auditing import noted
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.moments import DayNs
from servery.cli.refusals import Refusal
from servery.cli.table import show_table
from servery.core.clock import SystemClock, rfc3339
from servery.core.money import format_price
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.settings import Settings
from servery.store.database import Database
from servery.tenancy.audit_log import PLATFORM, AuditLog


class PriceOutput(msgspec.Struct, kw_only=True):
    """A row of ``price list --json``: dollars per million tokens, exact, as text. ``since`` is when the price was first
    recorded, or from when a change is in force."""

    model: str
    serving_path: ServingPath
    input: str
    cached_input: str
    output: str
    since: str
    price_id: str
    is_change: bool


@click.group("price")
def price_group() -> None:
    """Look at prices, and change them."""


@price_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@data_dir_option
def list_command(settings: Settings, *, as_json: bool) -> None:
    """List every price that is or was, and the changes that were made or are to come."""

    async def prices() -> list[PriceOutput]:
        async with existing_database(settings) as database:
            versions = [_output(one, one.recorded_ns, is_change=False) for one in _versions(database).list()]
            changes = await PriceChanges(database, SystemClock()).list()
            return versions + [_output(one.version, one.from_ns, is_change=True) for one in changes]

    rows = sorted(asyncio.run(prices()), key=lambda row: (row.model, row.serving_path, row.since, row.is_change))
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    show_table(
        ("MODEL", "PATH", "SINCE", "BY", "INPUT", "CACHED", "OUTPUT"),
        [
            (
                row.model,
                row.serving_path,
                row.since,
                "change" if row.is_change else "catalog",
                row.input,
                row.cached_input,
                row.output,
            )
            for row in rows
        ],
    )


@price_group.command("set")
@click.argument("model")
@click.option(
    "--path",
    "path",
    type=click.Choice([path.value for path in ServingPath]),
    default=ServingPath.STANDARD.value,
    help="The serving path whose price it is.  [default: standard]",
)
@click.option("--input", "input_price", required=True, metavar="DOLLARS", help="For a million prompt tokens.")
@click.option("--cached-input", metavar="DOLLARS", help="Of those, the cached ones.  [default: half of it]")
@click.option("--output", metavar="DOLLARS", help="For a million generated tokens.  [default: nothing]")
@click.option("--from", "from_ns", type=DayNs(), help="From this day (UTC) on, such as 2027-01-01.  [default: now]")
@data_dir_option
def set_command(
    model: str,
    settings: Settings,
    *,
    path: str,
    input_price: str,
    cached_input: str | None,
    output: str | None,
    from_ns: int | None,
) -> None:
    """Change the price of MODEL, the full name of a model or router."""
    serving_path, price = ServingPath(path), _price(input_price, cached_input, output)

    async def change() -> PriceChange:
        async with existing_database(settings) as database:
            if not any((one.model, one.serving_path) == (model, serving_path) for one in _versions(database).list()):
                raise Refusal(f"{model!r} has no {path} price to change; servery price list shows those there are")
            clock = SystemClock()
            change = PriceChanges(database, clock).add(model, serving_path, price, from_ns=from_ns)
            resource = f"pricing/changes/{model}/{path}"
            return await noted(AuditLog(database, clock), change, account=PLATFORM, resource=resource)

    made = asyncio.run(change())
    click.echo(f"{model} {path}: {_numbers(made.version.price)} from {rfc3339(made.from_ns)}")


def _versions(database: Database) -> PriceVersions:
    return PriceVersions(database, SystemClock())


def _price(input_price: str, cached_input: str | None, output: str | None) -> Price:
    try:
        row = PriceRow(
            input=PricePerToken.parse(input_price),
            cached_input=None if cached_input is None else PricePerToken.parse(cached_input),
            output=None if output is None else PricePerToken.parse(output),
        )
    except ValueError as error:
        raise Refusal(str(error)) from error
    return row.price()


def _numbers(price: Price) -> str:
    return " / ".join(format_price(amount) for amount in price.amounts)


def _output(version: PriceVersion, since_ns: int, *, is_change: bool) -> PriceOutput:
    price = version.price
    return PriceOutput(
        model=version.model,
        serving_path=version.serving_path,
        input=format_price(price.input_picodollars_per_token),
        cached_input=format_price(price.cached_input_picodollars_per_token),
        output=format_price(price.output_picodollars_per_token),
        since=rfc3339(since_ns),
        price_id=version.price_id,
        is_change=is_change,
    )
