"""The limits of accounts, as described."""

from typing import Annotated

import msgspec
from msgspec import Meta

from servery.catalog.token_limits import TokenLimits
from servery.limits.rules import AdaptationRules, LimitRules

_Count = Annotated[int, Meta(ge=1)]


class DescribedLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each account's limits begin at ``start`` and adapt up to ``ceilings``, in tokens per minute; all accounts are
    funded. What is not given is as the platform has it."""

    ceilings: TokenLimits
    start: TokenLimits = AdaptationRules().start
    requests_per_minute: _Count = LimitRules().requests_per_minute
    burst_minutes: Annotated[float, Meta(gt=0, le=60)] = LimitRules().burst_minutes

    def rules(self) -> LimitRules:
        return LimitRules(
            adaptation=AdaptationRules(start=self.start),
            burst_minutes=self.burst_minutes,
            requests_per_minute=self.requests_per_minute,
        )
