"""``servery usage``: what was used, and what it cost."""

import asyncio
from collections.abc import Sequence

import click
import msgspec

from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.moments import DayNs
from servery.cli.table import show_table
from servery.core.money import format_dollars
from servery.core.serving_path import ServingPath
from servery.metering.usage_report import UsageQuery, UsageRow, usage_report
from servery.settings import Settings


class UsageSums(msgspec.Struct, kw_only=True):
    """Tokens and money of a group of requests; ``dollars`` is ``nanodollars`` with all nine decimals."""

    requests: int
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    nanodollars: int
    dollars: str


class UsageGroup(UsageSums, kw_only=True, omit_defaults=True):
    """One row; ``day`` and ``key_id`` are there when grouped by."""

    account: str
    model: str
    serving_path: ServingPath
    day: str | None = None
    key_id: str | None = None


class UsageOutput(msgspec.Struct, kw_only=True):
    """What ``usage --json`` prints."""

    usage: list[UsageGroup]
    total: UsageSums


@click.command("usage")
@click.option("--account", metavar="ID", help="Only this account's usage.  [default: all accounts]")
@click.option("--by", "by", multiple=True, type=click.Choice(["day", "key"]), help="Finer groups; may be repeated.")
@click.option("--since", "since_ns", type=DayNs(), default=0, help="From this day (UTC) on, such as 2026-11-20.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@data_dir_option
def usage_command(
    account: str | None, by: tuple[str, ...], since_ns: int, settings: Settings, *, as_json: bool
) -> None:
    """Show what was used and charged, by account, model and serving path."""
    query = UsageQuery(account=account, since_ns=since_ns, by_day="day" in by, by_key="key" in by)

    async def report() -> list[UsageRow]:
        async with existing_database(settings) as database:
            return await usage_report(database, query)

    rows = asyncio.run(report())
    if as_json:
        output = UsageOutput(usage=[_group(row) for row in rows], total=_total(rows))
        click.echo(msgspec.json.encode(output).decode())
        return
    total = _total(rows)
    extra = tuple(name for name, wanted in (("DAY", query.by_day), ("KEY ID", query.by_key)) if wanted)
    header = ("ACCOUNT", "MODEL", "PATH", *extra, "REQUESTS", "PROMPT", "CACHED", "GENERATED", "DOLLARS")
    lines = [(row.account, row.model, row.serving_path, *_finer(row, query), *_sums(_group(row))) for row in rows]
    show_table(header, [*lines, ("total", "", "", *("" for _ in extra), *_sums(total))])


def _finer(row: UsageRow, query: UsageQuery) -> tuple[str | None, ...]:
    return (*((row.day,) if query.by_day else ()), *((row.key_id,) if query.by_key else ()))


def _sums(sums: UsageSums) -> tuple[int, int, int, int, str]:
    return sums.requests, sums.prompt_tokens, sums.cached_prompt_tokens, sums.generated_tokens, sums.dollars


def _group(row: UsageRow) -> UsageGroup:
    return UsageGroup(**msgspec.structs.asdict(row), dollars=format_dollars(row.nanodollars))


def _total(rows: Sequence[UsageRow]) -> UsageSums:
    nanodollars = sum(row.nanodollars for row in rows)
    return UsageSums(
        requests=sum(row.requests for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        cached_prompt_tokens=sum(row.cached_prompt_tokens for row in rows),
        generated_tokens=sum(row.generated_tokens for row in rows),
        nanodollars=nanodollars,
        dollars=format_dollars(nanodollars),
    )
