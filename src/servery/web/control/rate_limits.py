"""``/v1/accounts/{account}/serverlessRateLimits``: an account's token limits, now and over time."""

import bisect
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from starlette.requests import Request

from servery.catalog.catalog import Catalog
from servery.catalog.offer import Offer
from servery.catalog.token_limits import TokenLimits, TokensPerMinute
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339, utc_date
from servery.core.errors import InvalidRequest, NotFound
from servery.core.limit_reading import LimitMetric
from servery.limits.ceilings import Ceilings
from servery.limits.custom_limits import CustomLimits
from servery.limits.fixed_limits import FixedLimits
from servery.limits.limit_keeper import LimitKeeper
from servery.limits.limit_records import LimitChange, LimitRecords
from servery.limits.limiter import Limiter
from servery.store.database import Database
from servery.tenancy.accounts import Accounts
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.moment import read_ns
from servery.web.control.nothing import Nothing

_DEFAULT_PERIOD_NS: Final = 30 * 86_400_000_000_000
_DEFAULT_INTERVAL_S: Final = 4 * 3_600
_MOST_STEPS: Final = 2_000
_DURATION: Final = re.compile(r"^([0-9]{1,8})s$")
_METRICS: Final = (LimitMetric.GENERATED, LimitMetric.PROMPT, LimitMetric.UNCACHED_PROMPT)


class RateLimit(msgspec.Struct, rename="camel"):
    """One limit in tokens per minute; ``is_custom`` when the operator has fixed it."""

    deployment: str
    metric: LimitMetric
    effective_limit: str
    is_custom: bool


class Value(msgspec.Struct):
    """The limit that was enforced at a moment."""

    timestamp: str
    value: int


class Series(msgspec.Struct):
    labels: dict[str, str]
    values: list[Value]


class RateLimits(msgspec.Struct, rename="camel"):
    rate_limits: list[RateLimit]
    series: list[Series]


class WantedLimits(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``:set``: what is absent or null adapts."""

    deployment: str
    prompt_tokens_per_minute: TokensPerMinute | None = None
    uncached_prompt_tokens_per_minute: TokensPerMinute | None = None
    generated_tokens_per_minute: TokensPerMinute | None = None


class ClearedLimits(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``:clear``."""

    deployment: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the platform that know limits."""

    limiter: Limiter
    ceilings: Ceilings
    keeper: LimitKeeper


class RateLimitEndpoints:
    """Handlers for limits. A deployment is here what a request names: a model or a router."""

    def __init__(self, database: Database, clock: Clock, catalog: Catalog, limits: Limits) -> None:
        self._clock = clock
        self._catalog = catalog
        self._limits = limits
        self._accounts = Accounts(database, clock)
        self._records = LimitRecords(database)
        self._fixed = FixedLimits(database, clock)

    async def get(self, request: Request, caller: Caller) -> RateLimits:
        """The limits of one deployment or of all that are offered, and what they were at each step of a period."""
        account = await self._accounts.get(account_of(request, caller))
        asked = request.query_params
        if unknown := set(asked) - {"deployment", "start", "end", "interval"}:
            raise InvalidRequest(f"{min(unknown)} is not understood", param=min(unknown))
        offers = self._offers(asked.get("deployment"))
        moments_ns = self._moments(asked.get("start"), asked.get("end"), asked.get("interval"))
        states = await self._records.states_of(account.id)
        changes = _by_model(await self._records.changes(account.id, until_ns=moments_ns[-1] + 1))
        answer = RateLimits([], [])
        for offer in offers:
            now = self._limits.limiter.limits(
                account.id,
                offer.name,
                ceilings=self._limits.ceilings.of(offer.model, spend_tier=account.spend_tier),
                recorded=states.get(offer.name),
            )
            custom = self._limits.limiter.custom(account.id, offer.name)
            for metric in _METRICS:
                limit = RateLimit(offer.name, metric, str(_of(now, metric)), _of(custom, metric) is not None)
                answer.rate_limits.append(limit)
                values = _values(changes.get(offer.name, ()), metric, moments_ns)
                answer.series.append(Series({"deployment": offer.name, "metric": metric.value}, values))
        return answer

    async def fix(self, request: Request, caller: Caller) -> Nothing:
        """Fix limits; they hold from the next request on."""
        account = account_of(request, caller)
        wanted = await body_of(request, WantedLimits)
        self._offers(wanted.deployment)
        custom = CustomLimits(
            prompt_tokens_per_minute=wanted.prompt_tokens_per_minute,
            uncached_prompt_tokens_per_minute=wanted.uncached_prompt_tokens_per_minute,
            generated_tokens_per_minute=wanted.generated_tokens_per_minute,
        )
        await self._fixed.fix(account, wanted.deployment, custom)
        await self._limits.keeper.refresh()
        return Nothing()

    async def free(self, request: Request, caller: Caller) -> Nothing:
        """Let them adapt again."""
        await self._fixed.free(account_of(request, caller), (await body_of(request, ClearedLimits)).deployment)
        await self._limits.keeper.refresh()
        return Nothing()

    def _offers(self, name: str | None) -> list[Offer]:
        offers = self._catalog.offers(utc_date(self._clock.wall_ns()))
        named = offers if name is None else [offer for offer in offers if offer.name == name]
        if not named:
            raise NotFound(f"There is no model or router {name!r}.", param="deployment")
        return named

    def _moments(self, start: str | None, end: str | None, interval: str | None) -> list[int]:
        """Steps from the start on; the last is the end."""
        end_ns = self._clock.wall_ns() if end is None else read_ns(end, param="end")
        start_ns = max(0, end_ns - _DEFAULT_PERIOD_NS) if start is None else read_ns(start, param="start")
        length = _DURATION.match(interval or f"{_DEFAULT_INTERVAL_S}s")
        step_ns = 0 if length is None else int(length[1]) * 1_000_000_000
        if step_ns == 0:
            raise InvalidRequest("interval is whole seconds, such as 14400s", param="interval")
        if not start_ns < end_ns <= start_ns + _MOST_STEPS * step_ns:
            raise InvalidRequest(f"end lies after start, by {_MOST_STEPS} intervals at most", param="end")
        return [*range(start_ns, end_ns, step_ns), end_ns]


def _of(limits: TokenLimits | CustomLimits, metric: LimitMetric) -> int | None:
    match metric:
        case LimitMetric.PROMPT:
            return limits.prompt_tokens_per_minute
        case LimitMetric.UNCACHED_PROMPT:
            return limits.uncached_prompt_tokens_per_minute
        case LimitMetric.GENERATED:
            return limits.generated_tokens_per_minute
        case LimitMetric.REQUESTS:
            raise AssertionError("requests are no tokens")


def _by_model(changes: Sequence[LimitChange]) -> Mapping[str, Sequence[LimitChange]]:
    grouped: dict[str, list[LimitChange]] = {}
    for change in changes:
        grouped.setdefault(change.model, []).append(change)
    return grouped


def _values(changes: Sequence[LimitChange], metric: LimitMetric, moments_ns: Sequence[int]) -> list[Value]:
    """What was enforced at each moment; nothing of the time before the first use."""
    changed_ns = [change.changed_ns for change in changes]
    values = []
    for moment_ns in moments_ns:
        following = bisect.bisect_right(changed_ns, moment_ns)
        if following > 0:
            limit = _of(changes[following - 1].limits, metric)
            assert limit is not None, "what was enforced is a number"
            values.append(Value(rfc3339(moment_ns), limit))
    return values
