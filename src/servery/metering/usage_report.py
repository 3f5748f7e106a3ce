"""Usage in sums over any period: from the hourly sums where they reach, from the records where they do not."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.core.clock import utc_date
from servery.core.serving_path import ServingPath
from servery.metering.usage_rollup import HOUR_NS
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.store.watermark import Watermark

Group = TypeVar("Group", bound=Hashable)

_END_OF_TIME_NS = 2**62


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage. A request counts at the moment it finished: from ``since_ns`` until just before ``until_ns``.
    ``account`` None means all; so does ``user``, the user of that account whose keys were used. With ``by_hour`` rows
    come for each hour since the Unix epoch, else for all at once."""

    account: str | None = None
    user: str | None = None
    since_ns: int = 0
    until_ns: int = _END_OF_TIME_NS
    by_hour: bool = False


class UsageRow(msgspec.Struct, frozen=True):
    """The sums of some requests that have all else in common. ``cost_labels`` is JSON: pairs of name and value.
    ``hour`` is 0 where it was not asked for. Several rows may have everything in common: ``grouped`` adds them up."""

    account: str
    key_id: str
    model: str
    serving_path: ServingPath
    price_id: str
    cost_labels: str
    hour: int
    requests: int
    prompt_tokens: int
    cached_prompt_tokens: int
    generated_tokens: int
    nanodollars: int

    @property
    def day(self) -> str:
        """Of UTC, such as ``2026-11-20``."""
        return utc_date(self.hour * HOUR_NS).isoformat()

    def label(self, name: str) -> str:
        """The value of a cost label; "" where it was not given."""
        labels: list[tuple[str, str]] = msgspec.json.decode(self.cost_labels, type=list[tuple[str, str]])
        return dict(labels).get(name, "")


class UsageSums:
    """What the requests of a group add up to."""

    __slots__ = ("cached_prompt_tokens", "generated_tokens", "nanodollars", "prompt_tokens", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.prompt_tokens = 0
        self.cached_prompt_tokens = 0
        self.generated_tokens = 0
        self.nanodollars = 0

    @property
    def uncached_prompt_tokens(self) -> int:
        return self.prompt_tokens - self.cached_prompt_tokens

    def add(self, row: UsageRow) -> None:
        self.requests += row.requests
        self.prompt_tokens += row.prompt_tokens
        self.cached_prompt_tokens += row.cached_prompt_tokens
        self.generated_tokens += row.generated_tokens
        self.nanodollars += row.nanodollars


def grouped(rows: Iterable[UsageRow], group: Callable[[UsageRow], Group]) -> dict[Group, UsageSums]:
    """The sums of the rows for which ``group`` says the same; groups in the order in which they are met."""
    sums: dict[Group, UsageSums] = {}
    for row in rows:
        of_group = group(row)
        if of_group not in sums:
            sums[of_group] = UsageSums()
        sums[of_group].add(row)
    return sums


class UsageReport:
    """Reads sums. Methods that take a connection run inside a snapshot of whoever calls them."""

    def __init__(self) -> None:
        queries = load_queries("servery.metering", "usage_report.sql")
        self._series_of_account = queries["series_of_account"]
        self._series_of_all = queries["series_of_all"]
        self._rollups = queries["rollups_of_series"]
        self._all_rollups = queries["all_rollups"]
        self._month = queries["rollups_of_month"]
        self._tail = queries["records_after"]
        self._edge = queries["records_up_to"]
        self._edge_of_all = queries["all_records_up_to"]
        self._users_of_keys = queries["users_of_keys"]
        self._mark = Watermark("usage")

    def rows(self, connection: Connection, query: UsageQuery) -> list[UsageRow]:
        """What ``query`` asks for, exact at this moment."""
        first_hour, end_hour = -(-query.since_ns // HOUR_NS), query.until_ns // HOUR_NS
        mark = self._mark.read(connection)
        if first_hour < end_hour:
            edges = [(query.since_ns, first_hour * HOUR_NS), (end_hour * HOUR_NS, query.until_ns)]
        else:
            edges = [(query.since_ns, query.until_ns)]
        found = self._whole_hours(connection, query, first_hour, end_hour) if first_hour < end_hour else []
        for since_ns, until_ns in edges:
            if since_ns < until_ns:
                edge = self._edge_of_all if query.account is None else self._edge
                found += self._records(connection, edge, query, (since_ns, until_ns), mark)
        found += self._records(connection, self._tail, query, (query.since_ns, query.until_ns), mark)
        if query.user is None:
            return found
        keys = self.users_of_keys(connection, query.account or "")
        return [row for row in found if keys.get(row.key_id) == query.user]

    def rows_of_month(
        self, connection: Connection, account: str, month: BillingMonth, *, first_open: BillingMonth
    ) -> list[UsageRow]:
        """What the account is billed for in ``month``: of an open one, what has not been rolled up too."""
        facts, ids = self._series(connection, account)
        rows = connection.execute(self._month, {"series": ids, "month": month.number}).fetchall()
        found = [_row((*facts[each[0]], 0, *each[1:])) for each in rows]
        if month < first_open:
            return found
        since_ns = month.start_ns if month > first_open else 0
        query = UsageQuery(account=account, since_ns=since_ns, until_ns=month.end_ns)
        mark = self._mark.read(connection)
        return found + self._records(connection, self._tail, query, (query.since_ns, query.until_ns), mark)

    def unsummed_months(self, connection: Connection, account: str) -> set[BillingMonth]:
        """The months in which requests finished that have not been rolled up."""
        query = UsageQuery(account=account, by_hour=True)
        mark = self._mark.read(connection)
        rows = self._records(connection, self._tail, query, (query.since_ns, query.until_ns), mark)
        return {BillingMonth.of(row.hour * HOUR_NS) for row in rows}

    def users_of_keys(self, connection: Connection, account: str) -> dict[str, str]:
        """Whose each of the account's keys is, by the key's id."""
        return dict(connection.execute(self._users_of_keys, {"account": account}).fetchall())

    def _whole_hours(self, connection: Connection, query: UsageQuery, first_hour: int, end_hour: int) -> list[UsageRow]:
        values = {"first_hour": first_hour, "end_hour": end_hour, "by_hour": int(query.by_hour)}
        if query.account is None:
            facts = {each[0]: each[1:] for each in connection.execute(self._series_of_all).fetchall()}
            rows = connection.execute(self._all_rollups, values).fetchall()
        else:
            facts, ids = self._series(connection, query.account)
            rows = connection.execute(self._rollups, {**values, "series": ids}).fetchall()
        return [_row((*facts[each[0]], *each[1:])) for each in rows]

    def _series(self, connection: Connection, account: str) -> tuple[dict[int, tuple[str, ...]], str]:
        """The account's series by id, and the ids as a JSON array."""
        rows = connection.execute(self._series_of_account, {"account": account}).fetchall()
        return {each[0]: tuple(each[1:]) for each in rows}, msgspec.json.encode([each[0] for each in rows]).decode()

    def _records(
        self, connection: Connection, sql: str, query: UsageQuery, period: tuple[int, int], mark: int
    ) -> list[UsageRow]:
        values = {
            "mark": mark,
            "since_ns": period[0],
            "until_ns": period[1],
            "account": query.account,
            "by_hour": int(query.by_hour),
        }
        return [_row(each) for each in connection.execute(sql, values).fetchall()]


async def usage_rows(database: Database, query: UsageQuery) -> list[UsageRow]:
    """As ``UsageReport.rows``, in another thread."""
    report = UsageReport()
    return await database.read(lambda connection: report.rows(connection, query))


def _row(row: Sequence[Any]) -> UsageRow:
    account, key_id, model, serving_path, *rest = row
    return UsageRow(account, key_id, model, ServingPath(serving_path), *rest)
