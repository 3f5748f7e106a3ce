"""Usage in sums: by account, model and serving path, and on request by day and by key."""

import msgspec

from servery.core.serving_path import ServingPath
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries

_END_OF_TIME_NS = 2**63 - 1


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage, in which groups. A request counts at the moment it finished: from ``since_ns`` until just before
    ``until_ns``. ``account`` None means all, and so does ``user``, the user of an account whose keys
    were used. Days are those of UTC."""

    account: str | None = None
    user: str | None = None
    since_ns: int = 0
    until_ns: int = _END_OF_TIME_NS
    by_day: bool = False
    by_key: bool = False


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one group. ``day`` (such as ``2026-11-20``) and ``key_id`` are None when not grouped by."""

    account: str
    model: str
    serving_path: ServingPath
    day: str | None
    key_id: str | None
    requests: int
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    nanodollars: int

    @property
    def uncached_prompt_tokens(self) -> int:
        return self.prompt_tokens - self.cached_prompt_tokens


async def usage_report(database: Database, query: UsageQuery) -> list[UsageRow]:
    """The rows that ``query`` asks for, in the order of their fields; all of one moment. Groups without usage do not
    appear. Runs in another thread, for as long as there are records in the period."""
    sql = load_queries("servery.metering", "usage_report.sql")["usage_in_period"]

    def operation(connection: Connection) -> list[UsageRow]:
        return [_row(row) for row in connection.execute(sql, msgspec.structs.asdict(query))]

    return await database.read(operation)


def _row(row: tuple[str, str, str, str | None, str | None, int, int, int, int, int]) -> UsageRow:
    account, model, serving_path, day, key_id, requests, prompt, cached, generated, nanodollars = row
    return UsageRow(
        account=account,
        model=model,
        serving_path=ServingPath(serving_path),
        day=day,
        key_id=key_id,
        requests=requests,
        prompt_tokens=prompt,
        cached_prompt_tokens=cached,
        generated_tokens=generated,
        nanodollars=nanodollars,
    )
