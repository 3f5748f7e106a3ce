"""``GET /v1/accounts/{account}/serverlessTokenUsage``: tokens per minute, on average and at the peak."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request

from servery.catalog.catalog import Catalog
from servery.core.caller import Caller
from servery.core.clock import Clock
from servery.core.errors import InvalidRequest
from servery.metering.token_rates import Tokens, token_rates
from servery.store.database import Database
from servery.web.control.access import account_of
from servery.web.control.moment import read_ns

LONGEST_DAYS: Final = 31
_DAY_NS: Final = 86_400_000_000_000
_PEAK: Final = "includePeakTokensPerMinuteByBaseModel"
_AVERAGE: Final = "includeAverageTokensPerMinuteByBaseModel"
_FLAGS: Final = {"true": True, "false": False}


class ModelTokens(msgspec.Struct, rename="camel"):
    """Of one base model, its routers included. Averages have fractions."""

    base_model: str
    generated_tokens_per_minute: float
    uncached_prompt_tokens_per_minute: float
    cached_prompt_tokens_per_minute: float


class TokenUsage(msgspec.Struct, rename="camel"):
    """Absent is what was not asked for. A total peak is the busiest minute over all models; peaks of different kinds
    and models need not be the same minute."""

    average_tokens_per_minute_by_base_model: list[ModelTokens] | UnsetType = UNSET
    peak_tokens_per_minute_by_base_model: list[ModelTokens] | UnsetType = UNSET
    total_peak_generated_tokens_per_minute: int | UnsetType = UNSET
    total_peak_uncached_prompt_tokens_per_minute: int | UnsetType = UNSET
    total_peak_cached_prompt_tokens_per_minute: int | UnsetType = UNSET


class TokenUsageEndpoints:
    """Handler for token rates; they are worked out from usage records, so they are what was charged."""

    def __init__(self, database: Database, clock: Clock, catalog: Catalog) -> None:
        self._database = database
        self._clock = clock
        self._models = {model.name: model.name for model in catalog.models()}
        self._models.update((offer.name, offer.model.name) for offer in catalog.priced_offers())

    async def get(self, request: Request, caller: Caller) -> TokenUsage:
        account = account_of(request, caller)
        asked = request.query_params
        if unknown := set(asked) - {"start", "end", _PEAK, _AVERAGE}:
            raise InvalidRequest(f"{min(unknown)} is not understood", param=min(unknown))
        peak, average = (_flag(name, asked.get(name)) for name in (_PEAK, _AVERAGE))
        if not (peak or average):
            raise InvalidRequest(f"At least one of {_PEAK} and {_AVERAGE} is true.", param=_PEAK)
        since_ns, until_ns = self._period(asked.get("start"), asked.get("end"))
        rates = await token_rates(
            self._database,
            account,
            since_ns=since_ns,
            until_ns=until_ns,
            base_model=lambda name: self._models.get(name, name),
        )
        usage = TokenUsage()
        if average:
            usage.average_tokens_per_minute_by_base_model = [
                _shown(model, tokens, minutes=rates.minutes) for model, tokens in sorted(rates.sums.items())
            ]
        if peak:
            usage.peak_tokens_per_minute_by_base_model = [
                _shown(model, tokens, minutes=1.0) for model, tokens in sorted(rates.peak_by_model.items())
            ]
            usage.total_peak_generated_tokens_per_minute = rates.peak.generated
            usage.total_peak_uncached_prompt_tokens_per_minute = rates.peak.uncached_prompt
            usage.total_peak_cached_prompt_tokens_per_minute = rates.peak.cached_prompt
        return usage

    def _period(self, start: str | None, end: str | None) -> tuple[int, int]:
        """By default the last 30 days, up to now."""
        until_ns = self._clock.wall_ns() + 1 if end is None else read_ns(end, param="end")
        since_ns = max(0, until_ns - 30 * _DAY_NS) if start is None else read_ns(start, param="start")
        if not since_ns < until_ns <= since_ns + LONGEST_DAYS * _DAY_NS:
            raise InvalidRequest(f"end lies after start, by {LONGEST_DAYS} days at most", param="end")
        return since_ns, until_ns


def _flag(name: str, text: str | None) -> bool:
    if text is None:
        return False
    if text not in _FLAGS:
        raise InvalidRequest(f"{name} is true or false, not {text!r}", param=name)
    return _FLAGS[text]


def _shown(model: str, tokens: Tokens, *, minutes: float) -> ModelTokens:
    return ModelTokens(
        model,
        generated_tokens_per_minute=tokens.generated / minutes,
        uncached_prompt_tokens_per_minute=tokens.uncached_prompt / minutes,
        cached_prompt_tokens_per_minute=tokens.cached_prompt / minutes,
    )
