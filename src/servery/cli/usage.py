"""``servery usage``: what was used, and what it cost."""

import asyncio
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import click
import msgspec

from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.lazy_group import LazyCommand, LazyGroup
from servery.cli.moments import DayNs
from servery.cli.table import show_table
from servery.core.money import format_dollars
from servery.core.serving_path import ServingPath
from servery.metering.usage_report import UsageQuery, UsageReport, UsageRow, UsageSums, grouped, usage_rows
from servery.settings import Settings

_END_OF_TIME_NS: Final = 2**62

COST_COLUMNS: Final = ("account_id", "date", "group_by_dimension", "group_by_value", "subtotal_usd", "currency")


class ShownSums(msgspec.Struct, kw_only=True):
    """Tokens and money of a group of requests; ``dollars`` is ``nanodollars`` with all nine decimals."""

    requests: int
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    nanodollars: int
    dollars: str


class UsageGroup(ShownSums, kw_only=True, omit_defaults=True):
    """One row; ``day`` and ``key_id`` are there when grouped by."""

    account: str
    model: str
    serving_path: ServingPath
    day: str | None = None
    key_id: str | None = None


class UsageOutput(msgspec.Struct, kw_only=True):
    """What ``usage --json`` prints."""

    usage: list[UsageGroup]
    total: ShownSums


class CostDimension(StrEnum):
    """What ``usage costs`` groups by."""

    MODEL = "model"
    API_KEY = "api_key"
    USER = "user"
    TEAM = "team"
    PROJECT = "project"
    ENVIRONMENT = "environment"


@click.group(
    "usage",
    cls=LazyGroup,
    lazy={
        "export": LazyCommand(
            "servery.cli.usage_export",
            "export_command",
            "Write usage as CSV to standard output: a line for each day, user and model, and each day's GPU time.",
        )
    },
    invoke_without_command=True,
)
@click.option("--account", metavar="ID", help="Only this account's usage.  [default: all accounts]")
@click.option("--by", "by", multiple=True, type=click.Choice(["day", "key"]), help="Finer groups; may be repeated.")
@click.option("--since", "since_ns", type=DayNs(), default=0, help="From this day (UTC) on, such as 2026-11-20.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@data_dir_option
@click.pass_context
def usage_group(
    context: click.Context,
    account: str | None,
    by: tuple[str, ...],
    since_ns: int,
    settings: Settings,
    *,
    as_json: bool,
) -> None:
    """Show what was used and charged, by account, model and serving path."""
    if context.invoked_subcommand is not None:
        return
    rows = _read(settings, UsageQuery(account=account, since_ns=since_ns, by_hour="day" in by))
    group = _group_by(by_day="day" in by, by_key="key" in by)
    by_group = dict(sorted(grouped(rows, group).items(), key=lambda item: _order(item[0])))
    groups = [_group(facts, sums) for facts, sums in by_group.items()]
    total = _shown(grouped(rows, lambda _row: None).get(None, UsageSums()))
    if as_json:
        click.echo(msgspec.json.encode(UsageOutput(usage=groups, total=total)).decode())
        return
    extra = tuple(name for name, wanted in (("DAY", "day" in by), ("KEY ID", "key" in by)) if wanted)
    header = ("ACCOUNT", "MODEL", "PATH", *extra, "REQUESTS", "PROMPT", "CACHED", "GENERATED", "DOLLARS")
    lines = [
        (one.account, one.model, one.serving_path, *(cell for cell in (one.day, one.key_id) if cell), *_cells(one))
        for one in groups
    ]
    show_table(header, [*lines, ("total", "", "", *("" for _ in extra), *_cells(total))])


@usage_group.command("costs")
@click.option("--account", required=True, metavar="ID", help="The account whose costs are exported.")
@click.option(
    "--group-by",
    type=click.Choice([dimension.value for dimension in CostDimension]),
    default=CostDimension.MODEL.value,
    help="What the lines of a day are told apart by.  [default: model]",
)
@click.option("--since", "since_ns", type=DayNs(), default=0, help="From this day (UTC) on, such as 2026-11-01.")
@click.option("--until", "until_ns", type=DayNs(), default=_END_OF_TIME_NS, help="Until just before this day (UTC).")
@data_dir_option
def costs_command(account: str, group_by: str, since_ns: int, until_ns: int, settings: Settings) -> None:
    """Write costs as CSV to standard output: a line for each day and group, in dollars with all nine decimals."""
    dimension = CostDimension(group_by)
    query = UsageQuery(account=account, since_ns=since_ns, until_ns=until_ns, by_hour=True)

    async def read() -> tuple[list[UsageRow], dict[str, str]]:
        async with existing_database(settings) as database:
            users = await database.read(lambda connection: UsageReport().users_of_keys(connection, account))
            return await usage_rows(database, query), users

    rows, users = asyncio.run(read())
    by_day = grouped(rows, lambda row: (row.day, _cost_group(row, dimension, users)))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COST_COLUMNS)
    for (day, value), sums in sorted(by_day.items()):
        writer.writerow((account, day, dimension.value, value, format_dollars(sums.nanodollars), "USD"))


Facts = tuple[str, str, ServingPath, str | None, str | None]


def _group_by(*, by_day: bool, by_key: bool) -> Callable[[UsageRow], Facts]:
    return lambda row: (
        row.account,
        row.model,
        row.serving_path,
        row.day if by_day else None,
        row.key_id if by_key else None,
    )


def _order(facts: Facts) -> tuple[str, ...]:
    return tuple(fact or "" for fact in facts)


def _read(settings: Settings, query: UsageQuery) -> list[UsageRow]:
    async def rows() -> list[UsageRow]:
        async with existing_database(settings) as database:
            return await usage_rows(database, query)

    return asyncio.run(rows())


def _cost_group(row: UsageRow, dimension: CostDimension, users: Mapping[str, str]) -> str:
    match dimension:
        case CostDimension.MODEL:
            return row.model
        case CostDimension.API_KEY:
            return row.key_id
        case CostDimension.USER:
            return users.get(row.key_id, "")
        case CostDimension.TEAM | CostDimension.PROJECT | CostDimension.ENVIRONMENT:
            return row.label(dimension.value)


def _cells(sums: ShownSums) -> Sequence[int | str]:
    return sums.requests, sums.prompt_tokens, sums.cached_prompt_tokens, sums.generated_tokens, sums.dollars


def _group(facts: Facts, sums: UsageSums) -> UsageGroup:
    account, model, serving_path, day, key_id = facts
    return UsageGroup(
        account=account,
        model=model,
        serving_path=serving_path,
        day=day,
        key_id=key_id,
        **msgspec.structs.asdict(_shown(sums)),
    )


def _shown(sums: UsageSums) -> ShownSums:
    return ShownSums(
        requests=sums.requests,
        prompt_tokens=sums.prompt_tokens,
        cached_prompt_tokens=sums.cached_prompt_tokens,
        generated_tokens=sums.generated_tokens,
        nanodollars=sums.nanodollars,
        dollars=format_dollars(sums.nanodollars),
    )
