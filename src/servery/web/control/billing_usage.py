"""``GET /v1/accounts/{account}/billingUsage``: what was used and charged, by day."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar, assert_never

import msgspec
from starlette.requests import Request

from servery.core.caller import Caller
from servery.core.clock import Clock
from servery.core.errors import InvalidRequest
from servery.core.money import NANODOLLARS_PER_DOLLAR
from servery.metering.usage_report import UsageQuery, UsageRow, usage_report
from servery.store.database import Database
from servery.tenancy.permissions import Permission, may
from servery.web.control.access import account_of
from servery.web.control.moment import wall_ns

Choice = TypeVar("Choice", bound=StrEnum)

LONGEST: Final = timedelta(days=31)
_PARAMETERS: Final = {"startTime", "endTime", "usageType", "timezone", "groupBy"}


class UsageType(StrEnum):
    SERVERLESS = "SERVERLESS"
    DEDICATED_DEPLOYMENT = "DEDICATED_DEPLOYMENT"


class GroupBy(StrEnum):
    MODEL_NAME = "model_name"
    API_KEY_ID = "api_key_id"


class Money(msgspec.Struct, rename="camel"):
    """Whole dollars and nano-dollars beyond them."""

    currency_code: str
    units: str
    nanos: int


class ServerlessCost(msgspec.Struct, rename="camel"):
    """One day's bucket of one group. Token counts are text, as 64-bit numbers are in this kind of JSON."""

    start_time: str
    end_time: str
    prompt_tokens: str
    cached_prompt_tokens: str
    completion_tokens: str
    total_cost: Money
    usage_type: UsageType
    group: dict[str, str]


class BillingUsage(msgspec.Struct, rename="camel"):
    serverless_costs: list[ServerlessCost]
    dedicated_costs: list[msgspec.Raw]


class BillingUsageEndpoints:
    """Handler for usage. Buckets are days of UTC; the first and the last are cut to the period asked for."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, request: Request, caller: Caller) -> BillingUsage:
        account = account_of(request, caller)
        asked = request.query_params
        for name in asked:
            if name not in _PARAMETERS:
                raise InvalidRequest(
                    f"{name} is not understood; known are {', '.join(sorted(_PARAMETERS))}", param=name
                )
        if asked.get("timezone", "UTC") != "UTC":
            raise InvalidRequest("days are those of UTC", param="timezone")
        group_by = _choice(GroupBy, "groupBy", asked.get("groupBy"))
        if _choice(UsageType, "usageType", asked.get("usageType")) is UsageType.DEDICATED_DEPLOYMENT:
            return BillingUsage([], [])
        start, end = self._period(asked.get("startTime"), asked.get("endTime"))
        query = UsageQuery(
            account=account,
            user=None if may(caller, Permission.READ_USAGE) else caller.user,
            since_ns=wall_ns(start, param="startTime"),
            until_ns=wall_ns(end, param="endTime"),
            by_day=True,
            by_key=group_by is GroupBy.API_KEY_ID,
        )
        rows = await usage_report(self._database, query)
        return BillingUsage(_buckets(rows, group_by, start, end), [])

    def _period(self, start_text: str | None, end_text: str | None) -> tuple[datetime, datetime]:
        """By default up to the end of this second, and as long as is allowed."""
        end = datetime.fromtimestamp(self._clock.wall_ns() // 1_000_000_000 + 1, UTC)
        end = end if end_text is None else _moment("endTime", end_text)
        wall_ns(end, param="endTime")  # what cannot be told in nanoseconds is refused before anything is made of it
        start = end - LONGEST if start_text is None else _moment("startTime", start_text)
        wall_ns(start, param="startTime")
        if not start < end <= start + LONGEST:
            raise InvalidRequest(f"endTime lies after startTime, by {LONGEST.days} days at most", param="endTime")
        return start.astimezone(UTC), end.astimezone(UTC)


def _buckets(
    rows: Iterable[UsageRow], group_by: GroupBy | None, start: datetime, end: datetime
) -> list[ServerlessCost]:
    """One bucket for each day and group, in that order, from rows that are finer than that."""
    grouped: dict[tuple[str, str], list[UsageRow]] = {}
    for row in rows:
        assert row.day is not None, "the report was asked for by day"
        grouped.setdefault((row.day, _group(row, group_by)), []).append(row)
    return [_bucket(day, group, grouped[day, group], group_by, (start, end)) for day, group in sorted(grouped)]


def _group(row: UsageRow, group_by: GroupBy | None) -> str:
    match group_by:
        case None:
            return ""
        case GroupBy.MODEL_NAME:
            return row.model
        case GroupBy.API_KEY_ID:
            return row.key_id or ""
        case _:
            assert_never(group_by)


def _bucket(
    day: str, group: str, rows: list[UsageRow], group_by: GroupBy | None, period: tuple[datetime, datetime]
) -> ServerlessCost:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    dollars, nanos = divmod(sum(row.nanodollars for row in rows), NANODOLLARS_PER_DOLLAR)
    return ServerlessCost(
        start_time=_rfc3339(max(midnight, period[0])),
        end_time=_rfc3339(min(midnight + timedelta(days=1), period[1])),
        prompt_tokens=str(sum(row.prompt_tokens for row in rows)),
        cached_prompt_tokens=str(sum(row.cached_prompt_tokens for row in rows)),
        completion_tokens=str(sum(row.generated_tokens for row in rows)),
        total_cost=Money("USD", str(dollars), nanos),
        usage_type=UsageType.SERVERLESS,
        group={} if group_by is None else {group_by.value: group},
    )


def _choice(choices: type[Choice], name: str, text: str | None) -> Choice | None:
    if text is None:
        return None
    try:
        return choices(text)
    except ValueError:
        raise InvalidRequest(f"{name} is one of {', '.join(choices)}, not {text!r}", param=name) from None


def _moment(name: str, text: str) -> datetime:
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{name} is RFC 3339, such as 2026-11-20T00:00:00Z, not {text!r}", param=name) from None


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
