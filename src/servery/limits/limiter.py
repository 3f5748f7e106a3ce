"""The three limits of each account and model: total prompt, uncached prompt, and generated tokens per minute."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from servery.catalog.token_limits import TokenLimits
from servery.core.clock import Clock
from servery.core.errors import LimitExceeded
from servery.core.usage import Usage
from servery.limits.estimate import Estimate
from servery.limits.token_bucket import TokenBucket

MAX_TRACKED = 100_000


class LimitReading(msgspec.Struct, frozen=True, kw_only=True):
    """What the response headers tell: limits per minute, and what is left of them now."""

    prompt: int
    uncached_prompt: int
    generated: int
    prompt_remaining: int
    uncached_prompt_remaining: int
    generated_remaining: int


class _Buckets:
    def __init__(self, limits: TokenLimits, now_s: float) -> None:
        self.prompt = TokenBucket(per_minute=limits.prompt_tokens_per_minute, now_s=now_s)
        self.uncached_prompt = TokenBucket(per_minute=limits.uncached_prompt_tokens_per_minute, now_s=now_s)
        self.generated = TokenBucket(per_minute=limits.generated_tokens_per_minute, now_s=now_s)

    def demands(self, estimate: Estimate) -> tuple[tuple[str, TokenBucket, int], ...]:
        return (
            ("prompt", self.prompt, estimate.prompt_tokens),
            ("uncached prompt", self.uncached_prompt, estimate.uncached_prompt_tokens),
            ("generated", self.generated, estimate.generated_tokens),
        )

    def take(self, estimate: Estimate, now_s: float) -> None:
        for _, bucket, tokens in self.demands(estimate):
            bucket.take(tokens, now_s)


class Grant:
    """A reservation. What ``settle`` is told replaces the estimate when the block ends; untold, all is given back."""

    def __init__(self, buckets: _Buckets, clock: Clock) -> None:
        self._buckets = buckets
        self._clock = clock
        self._used = Estimate(0, 0, 0)

    def settle(self, usage: Usage) -> None:
        self._used = Estimate(usage.prompt_tokens, usage.uncached_prompt_tokens, usage.generated_tokens)

    @property
    def used(self) -> Estimate:
        return self._used

    def reading(self) -> LimitReading:
        buckets, now_s = self._buckets, self._clock.monotonic_s()
        return LimitReading(
            prompt=buckets.prompt.per_minute,
            uncached_prompt=buckets.uncached_prompt.per_minute,
            generated=buckets.generated.per_minute,
            prompt_remaining=buckets.prompt.remaining(now_s),
            uncached_prompt_remaining=buckets.uncached_prompt.remaining(now_s),
            generated_remaining=buckets.generated.remaining(now_s),
        )


class Limiter:
    """Enforces limits in this process. Keeps the buckets of the most recent ``MAX_TRACKED`` accounts and models."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tracked: dict[tuple[str, str], _Buckets] = {}

    @contextmanager
    def reserve(self, *, account: str, counted_as: str, limits: TokenLimits, estimate: Estimate) -> Iterator[Grant]:
        """Hold a reservation until the block ends. ``counted_as`` is the id whose limits are shared: a model's (its
        Standard and Priority together) or a router's. Raises LimitExceeded."""
        buckets = self._buckets(account, counted_as, limits)
        now_s = self._clock.monotonic_s()
        for name, bucket, tokens in buckets.demands(estimate):
            if (wait_s := bucket.wait_s(tokens, now_s)) > 0:
                raise LimitExceeded(
                    f"rate limit exceeded, please try again later: {tokens} {name} tokens asked for,"
                    f" {bucket.remaining(now_s)} of {bucket.per_minute} per minute remain",
                    retry_after_s=wait_s,
                )
        buckets.take(estimate, now_s)
        grant = Grant(buckets, self._clock)
        try:
            yield grant
        finally:
            buckets.take(_beyond(estimate, grant.used), self._clock.monotonic_s())

    def _buckets(self, account: str, counted_as: str, limits: TokenLimits) -> _Buckets:
        key = (account, counted_as)
        buckets = self._tracked.pop(key, None) or _Buckets(limits, self._clock.monotonic_s())
        self._tracked[key] = buckets  # last in the dictionary: the most recent
        if len(self._tracked) > MAX_TRACKED:
            del self._tracked[next(iter(self._tracked))]
        return buckets


def _beyond(estimate: Estimate, used: Estimate) -> Estimate:
    """What is still to be taken once ``estimate`` was; negative where it was too much. Giving the estimate back first
    would spill over the brim what has been refilled in the meantime, and a long request would be counted twice."""
    return Estimate(
        used.prompt_tokens - estimate.prompt_tokens,
        used.uncached_prompt_tokens - estimate.uncached_prompt_tokens,
        used.generated_tokens - estimate.generated_tokens,
    )
