"""The numbers that limits go by; each is a setting."""

import msgspec

from servery.catalog.token_limits import TokenLimits
from servery.settings import Settings


class AdaptationRules(msgspec.Struct, frozen=True, kw_only=True):
    """How limits follow use. ``start`` is where they begin, and their lower bound.

    *Increase*: by ``increase_factor`` when the last minute used more than the share ``increase_above`` of the limit,
    at most once in ``increase_interval_minutes``. *Decrease*: to ``decrease_factor`` of it when no period of
    ``sample_minutes`` within ``decrease_window_minutes`` has used the share ``decrease_below`` of it a minute, and it
    has not changed for ``decrease_interval_minutes``; not when the last minute used the share
    ``decrease_not_above`` of what it would become. *Reset*: to ``start`` after ``idle_minutes`` without use.
    """

    start: TokenLimits = TokenLimits(
        prompt_tokens_per_minute=3_600_000,
        uncached_prompt_tokens_per_minute=900_000,
        generated_tokens_per_minute=36_000,
    )
    increase_factor: float = 1.25
    increase_above: float = 0.5
    increase_interval_minutes: int = 15
    decrease_factor: float = 0.8
    decrease_below: float = 0.33
    decrease_not_above: float = 0.5
    decrease_interval_minutes: int = 24 * 60
    decrease_window_minutes: int = 3 * 24 * 60
    sample_minutes: int = 15
    idle_minutes: int = 3 * 24 * 60


class LimitRules(msgspec.Struct, frozen=True, kw_only=True):
    """``burst_minutes``: how many minutes of a limit a bucket holds. ``retry_jitter``: the share of itself by which a
    wait is lengthened at most, at random. ``tracked_accounts``: how many are remembered at once."""

    adaptation: AdaptationRules = AdaptationRules()
    burst_minutes: float = 1.0
    requests_per_minute: int = 6_000
    unfunded_requests_per_minute: int = 10
    retry_jitter: float = 0.5
    tracked_accounts: int = 100_000


def limit_rules(settings: Settings) -> LimitRules:
    """The rules that the operator has set."""
    return LimitRules(
        adaptation=AdaptationRules(
            start=TokenLimits(
                prompt_tokens_per_minute=settings.limit_start_prompt_tokens_per_minute,
                uncached_prompt_tokens_per_minute=settings.limit_start_uncached_prompt_tokens_per_minute,
                generated_tokens_per_minute=settings.limit_start_generated_tokens_per_minute,
            ),
            increase_factor=settings.limit_increase_factor,
            increase_above=settings.limit_increase_above,
            increase_interval_minutes=settings.limit_increase_interval_minutes,
            decrease_factor=settings.limit_decrease_factor,
            decrease_below=settings.limit_decrease_below,
            decrease_not_above=settings.limit_decrease_not_above,
            decrease_interval_minutes=settings.limit_decrease_interval_minutes,
            decrease_window_minutes=settings.limit_decrease_window_minutes,
            sample_minutes=settings.limit_sample_minutes,
            idle_minutes=settings.limit_idle_minutes,
        ),
        burst_minutes=settings.limit_burst_minutes,
        requests_per_minute=settings.limit_requests_per_minute,
        unfunded_requests_per_minute=settings.limit_unfunded_requests_per_minute,
        retry_jitter=settings.limit_retry_jitter,
        tracked_accounts=settings.limit_tracked_accounts,
    )
