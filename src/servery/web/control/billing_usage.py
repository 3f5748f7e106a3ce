"""``GET /v1/accounts/{account}/billingUsage``: what was used and charged, by day."""

from collections.abc import Collection
from datetime import tzinfo
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from servery.billing.gpu_report import GpuSums, gpu_usage
from servery.core.caller import Caller
from servery.core.clock import Clock
from servery.core.errors import InvalidRequest
from servery.metering.usage_report import UsageQuery, UsageReport, UsageRow, UsageSums, grouped
from servery.store.connection import Connection
from servery.store.database import Database
from servery.tenancy.permissions import Permission, may
from servery.web.control.access import account_of
from servery.web.control.filter import filter_terms
from servery.web.control.money import Money, money
from servery.web.control.period import Period, period_of, shown, zone_of

Choice = TypeVar("Choice", bound=StrEnum)

_PARAMETERS: Final = {"startTime", "endTime", "usageType", "timezone", "groupBy", "filter"}


class UsageType(StrEnum):
    SERVERLESS = "SERVERLESS"
    DEDICATED_DEPLOYMENT = "DEDICATED_DEPLOYMENT"


class GroupBy(StrEnum):
    """The first five are of serverless usage, the others of dedicated deployments."""

    MODEL_NAME = "model_name"
    API_KEY_ID = "api_key_id"
    TEAM = "annotations.team"
    PROJECT = "annotations.project"
    ENVIRONMENT = "annotations.environment"
    DEPLOYMENT_NAME = "deployment_name"
    ACCELERATOR_TYPE = "accelerator_type"


_DEDICATED: Final = (GroupBy.DEPLOYMENT_NAME, GroupBy.ACCELERATOR_TYPE)
_SERVERLESS: Final = tuple(group for group in GroupBy if group not in _DEDICATED)


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
    audio_input_seconds: str = "0"


class DedicatedCost(msgspec.Struct, rename="camel"):
    """One day's bucket of one deployment and accelerator type."""

    start_time: str
    end_time: str
    deployment_id: str
    accelerator_type: str
    accelerator_seconds: str
    total_cost: Money
    usage_type: UsageType
    group: dict[str, str]


class BillingUsage(msgspec.Struct, rename="camel"):
    serverless_costs: list[ServerlessCost]
    dedicated_costs: list[DedicatedCost]


class _Question(msgspec.Struct, frozen=True):
    """What is asked, understood. ``terms`` are the filter's; ``user`` None: of the whole account."""

    account: str
    user: str | None
    period: Period
    zone: tzinfo
    group_by: GroupBy | None
    terms: dict[str, str]


class BillingUsageEndpoints:
    """Handler for usage. Buckets are days, of UTC or of the time zone asked for; the first and the last are cut to the
    period."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._report = UsageReport()

    async def get(self, request: Request, caller: Caller) -> BillingUsage:
        account = account_of(request, caller)
        asked = request.query_params
        for name in asked:
            if name not in _PARAMETERS:
                known = ", ".join(sorted(_PARAMETERS))
                raise InvalidRequest(f"{name} is not understood; known are {known}", param=name)
        usage_type = _choice(UsageType, tuple(UsageType), "usageType", asked.get("usageType"))
        is_dedicated = usage_type is UsageType.DEDICATED_DEPLOYMENT
        groups = _DEDICATED if is_dedicated else _SERVERLESS
        question = _Question(
            account,
            None if may(caller, Permission.READ_USAGE) else caller.user,
            period_of(asked.get("startTime"), asked.get("endTime"), now_ns=self._clock.wall_ns()),
            zone_of(asked.get("timezone")),
            _choice(GroupBy, groups, "groupBy", asked.get("groupBy")),
            filter_terms(asked.get("filter", ""), fields=groups),
        )
        if is_dedicated:
            dedicated = await self._database.read(lambda connection: _dedicated(connection, question))
            return BillingUsage([], [] if question.user is not None else dedicated)
        return BillingUsage(await self._database.read(lambda connection: self._serverless(connection, question)), [])

    def _serverless(self, connection: Connection, question: _Question) -> list[ServerlessCost]:
        costs = []
        for day in question.period.days(question.zone):
            query = UsageQuery(
                account=question.account, user=question.user, since_ns=day.since_ns, until_ns=day.until_ns
            )
            rows = [
                row
                for row in self._report.rows(connection, query)
                if all(_value(row, GroupBy(field)) == value for field, value in question.terms.items())
            ]
            by_group = grouped(rows, lambda row: _value(row, question.group_by))
            costs += [_cost(day, question.group_by, group, by_group[group]) for group in sorted(by_group)]
        return costs


def _value(row: UsageRow, group_by: GroupBy | None) -> str:
    """What a row has for a group; "" for no group, and where a label was not given."""
    if group_by is None:
        return ""
    if group_by is GroupBy.MODEL_NAME:
        return row.model
    if group_by is GroupBy.API_KEY_ID:
        return row.key_id
    return row.label(group_by.value.removeprefix("annotations."))


def _cost(day: Period, group_by: GroupBy | None, group: str, sums: UsageSums) -> ServerlessCost:
    return ServerlessCost(
        start_time=shown(day.start),
        end_time=shown(day.end),
        prompt_tokens=str(sums.prompt_tokens),
        cached_prompt_tokens=str(sums.cached_prompt_tokens),
        completion_tokens=str(sums.generated_tokens),
        total_cost=money(sums.nanodollars),
        usage_type=UsageType.SERVERLESS,
        group={} if group_by is None else {group_by.value: group},
    )


def _dedicated(connection: Connection, question: _Question) -> list[DedicatedCost]:
    costs = []
    for day in question.period.days(question.zone):
        for each in gpu_usage(connection, account=question.account, since_ns=day.since_ns, until_ns=day.until_ns):
            facts = {GroupBy.DEPLOYMENT_NAME: each.deployment, GroupBy.ACCELERATOR_TYPE: each.accelerator_type}
            if all(facts[GroupBy(field)] == value for field, value in question.terms.items()):
                costs.append(_dedicated_cost(day, question.group_by, facts, each))
    return costs


def _dedicated_cost(day: Period, group_by: GroupBy | None, facts: dict[GroupBy, str], sums: GpuSums) -> DedicatedCost:
    return DedicatedCost(
        start_time=shown(day.start),
        end_time=shown(day.end),
        deployment_id=sums.deployment,
        accelerator_type=sums.accelerator_type,
        accelerator_seconds=str(sums.accelerator_seconds),
        total_cost=money(sums.nanodollars),
        usage_type=UsageType.DEDICATED_DEPLOYMENT,
        group={} if group_by is None else {group_by.value: facts[group_by]},
    )


def _choice(choices: type[Choice], allowed: Collection[Choice], name: str, text: str | None) -> Choice | None:
    if text is None:
        return None
    if text not in allowed:
        raise InvalidRequest(f"{name} is one of {', '.join(allowed)}, not {text!r}", param=name)
    return choices(text)
