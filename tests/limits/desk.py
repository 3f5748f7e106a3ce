"""A limiter for tests: time moves when it is told to, chance is none."""

from collections.abc import Iterator
from contextlib import contextmanager

from servery.catalog.token_limits import TokenLimits
from servery.core.clock import ManualClock
from servery.core.limit_reading import LimitReading
from servery.limits.estimated import Estimate
from servery.limits.grant import Grant
from servery.limits.limiter import Limiter
from servery.limits.rules import LimitRules

LIMITS = TokenLimits(
    prompt_tokens_per_minute=1_000, uncached_prompt_tokens_per_minute=500, generated_tokens_per_minute=100
)


class Desk:
    """Accounts asking for models whose ceilings lie below where limits start, so that they do not move."""

    def __init__(self, rules: LimitRules | None = None, *, limits: TokenLimits = LIMITS, chance: float = 0.0) -> None:
        self.clock = ManualClock()
        self.limits = limits
        self.limiter = Limiter(self.clock, random=lambda: chance, rules=rules)

    def reserve(
        self, estimate: Estimate, *, account: str = "acme", counted_as: str = "m", funded: bool = True
    ) -> Grant:
        return self.limiter.reserve(
            account=account, counted_as=counted_as, limits=self.limits, estimate=estimate, funded=funded
        )

    @contextmanager
    def reserved(self, estimate: Estimate, *, account: str = "acme", counted_as: str = "m") -> Iterator[Grant]:
        grant = self.reserve(estimate, account=account, counted_as=counted_as)
        try:
            yield grant
        finally:
            grant.release()

    def left(self, *, account: str = "acme", counted_as: str = "m") -> tuple[int, int, int]:
        reading = self.limiter.reading(account, counted_as)
        if reading is None:
            limits = self.limits
            return (
                limits.prompt_tokens_per_minute,
                limits.uncached_prompt_tokens_per_minute,
                limits.generated_tokens_per_minute,
            )
        return remaining(reading)


def remaining(reading: LimitReading) -> tuple[int, int, int]:
    return reading.prompt_remaining, reading.uncached_prompt_remaining, reading.generated_remaining
