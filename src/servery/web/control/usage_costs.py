"""``POST .../usageCosts:query`` and ``GET .../billing/summary``: what usage cost, in the groups asked for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request

from servery.billing.invoice import InvoiceLine, LineKind, ModelUsage, invoice_lines
from servery.billing.price_versions import prices_by_id
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.core.errors import PermissionDenied
from servery.core.money import PICODOLLARS_PER_NANODOLLAR, divided_half_even
from servery.core.serving_path import ServingPath
from servery.metering.usage_report import UsageQuery, UsageReport, UsageRow, grouped
from servery.metering.usage_rollup import HOUR_NS
from servery.store.connection import Connection
from servery.store.database import Database
from servery.tenancy.permissions import Permission, may
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.filter import filter_terms
from servery.web.control.money import Money, money
from servery.web.control.page import slice_of
from servery.web.control.period import period_of

_MICRO_TO_NANO: Final = 1_000


class Dimension(StrEnum):
    HOUR = "HOUR"
    DAY = "DAY"
    MODEL = "MODEL"
    USER = "USER"
    API_KEY = "API_KEY"


_FILTERS: Final = {"model": Dimension.MODEL, "user": Dimension.USER, "api_key": Dimension.API_KEY}


class Scope(StrEnum):
    """Of the whole account, or of the caller's own keys."""

    ACCOUNT = "ACCOUNT"
    SELF = "SELF"


class CostQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of the query. HOUR and DAY are those of UTC."""

    start_time: str | None = None
    end_time: str | None = None
    scope: Scope = Scope.ACCOUNT
    group_by: Annotated[list[Dimension], Meta(max_length=2)] = []
    filter: str = ""
    page_size: Annotated[int, Meta(ge=0)] = 0
    page_token: str = ""


class CostRow(msgspec.Struct, rename="camel"):
    dimensions: dict[str, str]
    subtotal: Money


class CostAnswer(msgspec.Struct, rename="camel"):
    """``subtotal`` is of all rows, also those on other pages. Every request has a key, and every key a user, so costs
    are attributed completely."""

    rows: list[CostRow]
    subtotal: Money
    evaluation_time: str
    next_page_token: str
    attribution_completeness: str = "COMPLETE"


class SummaryItem(msgspec.Struct, rename="camel"):
    """``quantity`` is tokens, ``unit_amount`` is for a million of them."""

    category: str
    grouping_key: str
    grouping_value: str
    secondary_grouping_key: str
    secondary_grouping_value: str
    serving_path: str
    quantity: str
    unit_amount: Money
    total_cost: Money


class Summary(msgspec.Struct, rename="camel"):
    """``line_items`` sum to ``total_cost``; the item ``rounding`` is what rounding makes up."""

    line_items: list[SummaryItem]
    total_cost: Money


class UsageCostEndpoints:
    """Handlers for costs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._report = UsageReport()

    async def query(self, request: Request, caller: Caller) -> CostAnswer:
        """Raises PermissionDenied for the account's costs where the caller may read its own alone."""
        account = account_of(request, caller)
        asked = await body_of(request, CostQuery)
        if asked.scope is Scope.ACCOUNT and not may(caller, Permission.READ_USAGE):
            raise PermissionDenied(f"A user with the role {caller.role} may query the scope SELF alone.")
        period = period_of(asked.start_time, asked.end_time, now_ns=self._clock.wall_ns())
        query = UsageQuery(
            account=account,
            user=caller.user if asked.scope is Scope.SELF else None,
            since_ns=period.since_ns,
            until_ns=period.until_ns,
            by_hour=bool({Dimension.HOUR, Dimension.DAY} & set(asked.group_by)),
        )
        terms = {_FILTERS[name]: value for name, value in filter_terms(asked.filter, fields=_FILTERS).items()}

        def operation(connection: Connection) -> dict[tuple[str, ...], int]:
            users = self._report.users_of_keys(connection, account)
            rows = [
                row
                for row in self._report.rows(connection, query)
                if all(_value(row, dimension, users) == value for dimension, value in terms.items())
            ]
            by_group = grouped(rows, lambda row: tuple(_value(row, one, users) for one in asked.group_by))
            return {group: by_group[group].nanodollars for group in sorted(by_group)}

        return self._answer(asked, await self._database.read(operation))

    async def summary(self, request: Request, caller: Caller) -> Summary:
        """By model, serving path, price and kind of token, as an invoice of that period would be."""
        account = account_of(request, caller)
        asked = request.query_params
        period = period_of(asked.get("startTime"), asked.get("endTime"), now_ns=self._clock.wall_ns())
        query = UsageQuery(account=account, since_ns=period.since_ns, until_ns=period.until_ns)
        rows, prices = await self._database.read(
            lambda connection: (self._report.rows(connection, query), prices_by_id(connection))
        )
        sums = grouped(rows, lambda row: (row.model, row.serving_path, row.price_id))
        usage = [
            ModelUsage(
                model=model,
                serving_path=path,
                price_id=price_id,
                uncached_prompt_tokens=of_group.uncached_prompt_tokens,
                cached_prompt_tokens=of_group.cached_prompt_tokens,
                generated_tokens=of_group.generated_tokens,
                nanodollars=of_group.nanodollars,
            )
            for (model, path, price_id), of_group in sums.items()
        ]
        items = [_item(line) for line in invoice_lines(usage, prices) if line.kind is LineKind.TOKENS]
        total = sum(each.nanodollars for each in usage)
        rounding = total - sum(_nanodollars(item.total_cost) for item in items)
        return Summary([*items, *([_rounding(rounding)] if rounding else [])], money(total))

    def _answer(self, asked: CostQuery, groups: Mapping[tuple[str, ...], int]) -> CostAnswer:
        page, token = slice_of(list(groups.items()), token=asked.page_token, size=asked.page_size)
        rows = [
            CostRow({one.value: value for one, value in zip(asked.group_by, group, strict=True)}, money(nanodollars))
            for group, nanodollars in page
        ]
        return CostAnswer(rows, money(sum(groups.values())), rfc3339(self._clock.wall_ns()), token)


def _value(row: UsageRow, dimension: Dimension, users: Mapping[str, str]) -> str:
    match dimension:
        case Dimension.HOUR:
            return rfc3339(row.hour * HOUR_NS)
        case Dimension.DAY:
            return row.day
        case Dimension.MODEL:
            return row.model
        case Dimension.USER:
            return users.get(row.key_id, "")
        case Dimension.API_KEY:
            return row.key_id


def _item(line: InvoiceLine) -> SummaryItem:
    return SummaryItem(
        category=line.token_kind or "",
        grouping_key="model",
        grouping_value=line.subject,
        secondary_grouping_key="is_batch",
        secondary_grouping_value="true" if line.serving_path is ServingPath.BATCH else "false",
        serving_path=line.serving_path or "",
        quantity=str(line.quantity),
        unit_amount=money((line.unit_picodollars or 0) * _MICRO_TO_NANO),
        total_cost=money(divided_half_even(line.picodollars, PICODOLLARS_PER_NANODOLLAR)),
    )


def _rounding(nanodollars: int) -> SummaryItem:
    return SummaryItem("rounding", "model", "", "is_batch", "false", "", "1", money(0), money(nanodollars))


def _nanodollars(amount: Money) -> int:
    return int(amount.units) * 1_000_000_000 + amount.nanos
