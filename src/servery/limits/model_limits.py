"""One account's limits for one model: what is enforced now, and what it may become."""

import math
from collections.abc import Callable

from servery.catalog.token_limits import TokenLimits
from servery.limits.adaptation import AdaptiveLimits, Used, bounded, minutes_ended, with_use
from servery.limits.calendar import Calendar
from servery.limits.custom_limits import CustomLimits
from servery.limits.leased_buckets import LeasedBuckets
from servery.limits.rules import LimitRules
from servery.limits.token_buckets import TokenBuckets


class ModelLimits:
    """Counts a minute's use and, when the minute has ended, lets the limits follow it.

    ``used_*`` are the real tokens of requests that ended in the current minute. ``on_minute`` is called after each
    minute that was looked at. What the operator has fixed (``custom``) is enforced instead of what adapts, limit by
    limit; the adaptive ones go on beside it. ``recorded``: what was enforced when it was last written down.

    Where several gateways share the limits (``is_shared``), nothing is worked out here: use is counted until it is
    reported (``take_used``), and ``share`` tells how the limits have adapted.
    """

    __slots__ = (
        "_calendar",
        "_on_minute",
        "_rules",
        "account",
        "adaptive",
        "buckets",
        "ceilings",
        "custom",
        "leased",
        "minute_ends_s",
        "name",
        "open_grants",
        "recorded",
        "used_generated",
        "used_prompt",
        "used_uncached",
    )

    def __init__(
        self,
        *,
        account: str,
        name: str,
        adaptive: AdaptiveLimits,
        ceilings: TokenLimits,
        custom: CustomLimits | None,
        rules: LimitRules,
        calendar: Calendar,
        now_s: float,
        on_minute: "Callable[[ModelLimits], None]",
        is_shared: bool = False,
    ) -> None:
        self.account = account
        self.name = name
        self.ceilings = ceilings
        self.custom = custom
        self.open_grants = 0
        self.recorded: TokenLimits | None = None
        self._rules = rules
        self._calendar = calendar
        self._on_minute = on_minute
        self.adaptive = bounded(adaptive, rules=rules.adaptation, ceilings=ceilings)
        self.used_prompt = self.used_uncached = self.used_generated = 0
        self.leased: LeasedBuckets | None = None
        if is_shared:
            self.leased = LeasedBuckets(self.limits, burst_minutes=rules.burst_minutes, now_s=now_s)
            self.buckets: TokenBuckets = self.leased
            self.minute_ends_s = math.inf
        else:
            self.buckets = TokenBuckets(self.limits, burst_minutes=rules.burst_minutes, now_s=now_s)
            self.minute_ends_s = calendar.begins_s(calendar.minute(now_s) + 1)
            self.end_minutes(now_s)
        on_minute(self)

    @property
    def state(self) -> AdaptiveLimits:
        """What is to be written down: also what the current minute has used."""
        return with_use(self.adaptive, Used(self.used_prompt, self.used_uncached, self.used_generated))

    @property
    def limits(self) -> TokenLimits:
        """What is to be enforced."""
        adapted = self.adaptive.token_limits
        return adapted if self.custom is None else self.custom.over(adapted)

    def end_minutes(self, now_s: float) -> None:
        """The current minute is over, and perhaps more: let the limits follow. Whoever counts use calls this first
        when ``minute_ends_s`` has passed."""
        now_minute = self._calendar.minute(now_s)
        if now_minute <= self.adaptive.minute:
            return  # a fraction of a microsecond too early, as floating numbers have it
        self.minute_ends_s = self._calendar.begins_s(now_minute + 1)
        self.adaptive = minutes_ended(
            self.adaptive, self.take_used(), now_minute=now_minute, rules=self._rules.adaptation, ceilings=self.ceilings
        )
        self._enforce(now_s)
        self._on_minute(self)

    def take_used(self) -> Used:
        """What requests that ended since this was last asked have used."""
        used = Used(self.used_prompt, self.used_uncached, self.used_generated)
        self.used_prompt = self.used_uncached = self.used_generated = 0
        return used

    def share(self, adaptive: AdaptiveLimits, now_s: float) -> None:
        """How the limits have adapted for all gateways."""
        self.adaptive = adaptive
        self._enforce(now_s)

    def set_ceilings(self, ceilings: TokenLimits, now_s: float) -> None:
        """The account has another spend tier, or the catalog has changed."""
        self.ceilings = ceilings
        self.adaptive = bounded(self.adaptive, rules=self._rules.adaptation, ceilings=ceilings)
        self._enforce(now_s)

    def set_custom(self, custom: CustomLimits | None, now_s: float) -> None:
        """The operator has fixed limits, or let them go."""
        self.custom = custom
        self._enforce(now_s)

    def _enforce(self, now_s: float) -> None:
        limits = self.limits
        if limits != self.buckets.limits:
            self.buckets.set_limits(limits, now_s)
