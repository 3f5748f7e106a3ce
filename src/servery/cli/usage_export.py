"""``servery usage export``: usage as CSV, in the columns that importers of Fireworks' own export know."""

import asyncio
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from servery.billing.gpu_report import gpu_usage_by_day
from servery.catalog.catalog import Catalog
from servery.cli.data_directory import data_dir_option, existing_database
from servery.cli.moments import DayNs
from servery.core.clock import rfc3339
from servery.metering.usage_report import UsageQuery, UsageReport, grouped
from servery.metering.usage_rollup import HOUR_NS
from servery.set_up import catalog_of
from servery.settings import Settings
from servery.store.connection import Connection
from servery.tenancy.users import addresses_of_users

_DAY_HOURS: Final = 24
_END_OF_TIME_NS: Final = 2**62

EXPORT_COLUMNS: Final = (
    *("email", "start_time", "end_time", "usage_type", "accelerator_type", "accelerator_seconds", "base_model_name"),
    *("model_bucket", "parameter_count", "prompt_tokens", "completion_tokens", "cached_prompt_tokens"),
    "uncached_prompt_tokens",
)
_ORDER: Final = ("start_time", "usage_type", "email", "base_model_name", "accelerator_type")


@click.command("export")
@click.option("--account", required=True, metavar="ID", help="The account whose usage is exported.")
@click.option("--since", "since_ns", type=DayNs(), default=0, help="From this day (UTC) on, such as 2026-11-01.")
@click.option("--until", "until_ns", type=DayNs(), default=_END_OF_TIME_NS, help="Until just before this day (UTC).")
@click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    help="The catalog that tells the sizes of models.  [default: the platform's; SERVERY_CATALOG]",
)
@data_dir_option
def export_command(account: str, since_ns: int, until_ns: int, settings: Settings, *, catalog: Path | None) -> None:
    """Write usage as CSV to standard output: a line for each day, user and model, and each day's GPU time."""
    sizes = catalog_of(
        settings if catalog is None else msgspec.structs.replace(settings, catalog=catalog, model=None),
        datetime.now(UTC).date(),
    )
    query = UsageQuery(account=account, since_ns=since_ns, until_ns=until_ns, by_hour=True)

    def operation(connection: Connection) -> list[dict[str, str | int]]:
        return [*_serverless(connection, query, account, sizes), *_dedicated(connection, query, account)]

    async def read() -> list[dict[str, str | int]]:
        async with existing_database(settings) as database:
            return await database.read(operation)

    writer = csv.DictWriter(sys.stdout, EXPORT_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(asyncio.run(read()), key=lambda line: tuple(str(line.get(name, "")) for name in _ORDER)))


def _serverless(
    connection: Connection, query: UsageQuery, account: str, catalog: Catalog
) -> Iterator[dict[str, str | int]]:
    report = UsageReport()
    users = report.users_of_keys(connection, account)
    emails = addresses_of_users(connection, account)
    by_place = grouped(
        report.rows(connection, query),
        lambda row: (row.hour // _DAY_HOURS, emails.get(users.get(row.key_id, ""), ""), row.model),
    )
    for (day, email, name), sums in by_place.items():
        model = catalog.model_behind(name)
        yield {
            "email": email,
            **_day(day),
            "usage_type": "SERVERLESS",
            "base_model_name": name if model is None else model.name,
            "model_bucket": "" if model is None else catalog.bucket_of(model),
            "parameter_count": "" if model is None else model.parameter_count or "",
            "prompt_tokens": sums.prompt_tokens,
            "completion_tokens": sums.generated_tokens,
            "cached_prompt_tokens": sums.cached_prompt_tokens,
            "uncached_prompt_tokens": sums.uncached_prompt_tokens,
        }


def _dedicated(connection: Connection, query: UsageQuery, account: str) -> Iterator[dict[str, str | int]]:
    for each in gpu_usage_by_day(connection, account=account, since_ns=query.since_ns, until_ns=query.until_ns):
        yield {
            **_day(each.day),
            "usage_type": "DEDICATED_DEPLOYMENT",
            "accelerator_type": each.accelerator_type,
            "accelerator_seconds": each.accelerator_seconds,
        }


def _day(day: int) -> dict[str, str]:
    start_ns = day * _DAY_HOURS * HOUR_NS
    return {"start_time": rfc3339(start_ns), "end_time": rfc3339(start_ns + _DAY_HOURS * HOUR_NS)}
