"""A reservation: tokens that are taken of an account's limits for as long as a request lasts."""

from collections.abc import Callable

from servery.core.limit_reading import LimitReading
from servery.core.usage import Usage
from servery.limits.account_limits import AccountLimits
from servery.limits.model_limits import ModelLimits


class Grant:
    """What a request holds of its account's limits, made by ``Limiter.reserve``.

    ``settle`` replaces it by what was really used; ``release``, which every way out calls, ends it: what was not
    settled is given back. ``prompt_tokens``, ``uncached_prompt_tokens`` and ``generated_tokens`` are what is taken
    for it now.

    Only the difference to the estimate is ever moved. Giving the estimate back before taking the usage would spill
    over the brim what has been refilled in the meantime, and a long request would be counted twice.
    """

    __slots__ = (
        "_now_s",
        "_wall_ns",
        "account",
        "generated_tokens",
        "is_released",
        "is_settled",
        "model",
        "prompt_tokens",
        "uncached_prompt_tokens",
    )

    def __init__(
        self,
        account: AccountLimits,
        model: ModelLimits,
        *,
        now_s: Callable[[], float],
        wall_ns: Callable[[], int],
        prompt_tokens: int,
        uncached_prompt_tokens: int,
        generated_tokens: int,
    ) -> None:
        self.account = account
        self.model = model
        self._now_s = now_s
        self._wall_ns = wall_ns
        self.prompt_tokens = prompt_tokens
        self.uncached_prompt_tokens = uncached_prompt_tokens
        self.generated_tokens = generated_tokens
        self.is_settled = False
        self.is_released = False

    def extend(self, generated_tokens: int) -> None:
        """A stream has generated so many tokens by now: reserve what goes beyond its reservation. Never refused, so
        that nothing is cut for a limit; later requests wait for the refill."""
        beyond = generated_tokens - self.generated_tokens
        if beyond > 0 and not (self.is_settled or self.is_released):
            self.model.buckets.correct(0, 0, beyond, self._now_s())
            self.generated_tokens = generated_tokens

    def settle(self, usage: Usage) -> None:
        """What was really used, which counts in full. Settling again replaces what was settled before."""
        assert not self.is_released, "a grant is settled before it is released"
        model, now_s = self.model, self._now_s()
        if now_s >= model.minute_ends_s:
            model.end_minutes(now_s)
        prompt, generated = usage.prompt_tokens, usage.generated_tokens
        uncached = prompt - usage.cached_prompt_tokens
        more_prompt, more_uncached = prompt - self.prompt_tokens, uncached - self.uncached_prompt_tokens
        more_generated = generated - self.generated_tokens
        model.buckets.correct(more_prompt, more_uncached, more_generated, now_s)
        if self.is_settled:
            model.used_prompt += more_prompt
            model.used_uncached += more_uncached
            model.used_generated += more_generated
        else:
            model.used_prompt += prompt
            model.used_uncached += uncached
            model.used_generated += generated
            self.is_settled = True
        self.prompt_tokens, self.uncached_prompt_tokens, self.generated_tokens = prompt, uncached, generated

    def release(self) -> None:
        """End the reservation. Doing so again changes nothing."""
        if self.is_released:
            return
        self.is_released = True
        self.model.open_grants -= 1
        if not self.is_settled:
            self.model.buckets.correct(
                -self.prompt_tokens, -self.uncached_prompt_tokens, -self.generated_tokens, self._now_s()
            )

    def reading(self) -> LimitReading:
        """The limits and what is left of them now."""
        return reading_of(self.account, self.model, now_s=self._now_s(), read_ns=self._wall_ns())


def reading_of(account: AccountLimits, model: ModelLimits, *, now_s: float, read_ns: int) -> LimitReading:
    """An account's limits for a model as they are now, by the clock's two readings."""
    buckets = model.buckets
    prompt, uncached_prompt, generated = buckets.remaining(now_s)
    return LimitReading(
        prompt=buckets.prompt_per_minute,
        uncached_prompt=buckets.uncached_per_minute,
        generated=buckets.generated_per_minute,
        requests=account.requests_per_minute,
        prompt_remaining=prompt,
        uncached_prompt_remaining=uncached_prompt,
        generated_remaining=generated,
        requests_remaining=account.requests_remaining,
        read_ns=read_ns,
        burst_minutes=buckets.burst_minutes,
    )
