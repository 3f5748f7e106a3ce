"""What one account may ask for: requests per minute over all models, and tokens for each."""

from itertools import islice
from typing import Final

from servery.catalog.token_limits import TokenLimits
from servery.core.limit_reading import LimitMetric, Shortage
from servery.limits.leased_buckets import LeasedBuckets
from servery.limits.model_limits import ModelLimits
from servery.limits.rules import LimitRules

_FORGETTING_LOOKS_AT: Final = 64


class AccountLimits:
    """The request envelope is a bucket too: it holds ``burst_minutes`` of requests and is refilled all the time.

    ``models`` are by the name that they are counted as; there are no more of them than the catalog offers. Where
    several gateways share the limits, requests are ``leased`` too, as the first of the three that such buckets hold.
    """

    __slots__ = (
        "_asked_last",
        "_capacity",
        "_filled_s",
        "_is_funded",
        "_level",
        "_rules",
        "leased",
        "models",
        "requests_per_minute",
    )

    def __init__(self, rules: LimitRules, *, funded: bool, now_s: float, is_shared: bool = False) -> None:
        self.models: dict[str, ModelLimits] = {}
        self._asked_last: ModelLimits | None = None
        self.leased: LeasedBuckets | None = None
        self._rules = rules
        self._filled_s = now_s
        self._set_funded(funded=funded)
        self._level = self._capacity
        if is_shared:
            self.leased = LeasedBuckets(self.request_limits, burst_minutes=rules.burst_minutes, now_s=now_s)

    def model(self, name: str) -> ModelLimits | None:
        """The limits that are counted as ``name``. Most accounts ask for the same again and again."""
        last = self._asked_last
        if last is None or last.name != name:
            last = self._asked_last = self.models.get(name)
        return last

    @property
    def request_limits(self) -> TokenLimits:
        """The envelope in the shape of other limits: three times the same."""
        limit = self.requests_per_minute
        return TokenLimits(
            prompt_tokens_per_minute=limit, uncached_prompt_tokens_per_minute=limit, generated_tokens_per_minute=limit
        )

    @property
    def seen_s(self) -> float:
        """When the account last asked for something."""
        return self._filled_s

    @property
    def open_grants(self) -> int:
        return sum(model.open_grants for model in self.models.values())

    def take_request(self, now_s: float, *, funded: bool) -> bool:
        """Count one request; False when there is no room for it, and it is not counted."""
        if funded is not self._is_funded:
            # The share that was left stays: who runs out of money does not keep thousands of requests.
            share = self._level / self._capacity
            self._set_funded(funded=funded)
            self._level = share * self._capacity
            if self.leased is not None:
                self.leased.set_limits(self.request_limits, now_s)
        if self.leased is not None:
            self._filled_s = max(self._filled_s, now_s)
            return self.leased.take(1, 0, 0, now_s)
        level, elapsed_s = self._level, now_s - self._filled_s
        if elapsed_s > 0.0:
            self._filled_s = now_s
            level += elapsed_s * self.requests_per_minute / 60.0
            level = min(level, self._capacity)
        if level < 1.0:
            self._level = level
            return False
        self._level = level - 1.0
        return True

    def shortage(self) -> Shortage:
        """Why there was no room."""
        return Shortage(
            metric=LimitMetric.REQUESTS,
            limit_per_minute=self.requests_per_minute,
            requested=1,
            remaining=0,
            wait_s=(1.0 - self._level) * 60.0 / self.requests_per_minute,
        )

    @property
    def requests_remaining(self) -> int:
        """As of the last request."""
        return int(self._level) if self.leased is None else self.leased.remaining(self._filled_s)[0]

    def _set_funded(self, *, funded: bool) -> None:
        rules = self._rules
        self._is_funded = funded
        self.requests_per_minute = rules.requests_per_minute if funded else rules.unfunded_requests_per_minute
        self._capacity = max(1.0, self.requests_per_minute * rules.burst_minutes)


def forget_one(accounts: dict[str, AccountLimits]) -> None:
    """Of the 64 known for longest, the one not seen for longest."""
    oldest = islice(accounts.items(), _FORGETTING_LOOKS_AT)
    del accounts[min(oldest, key=lambda item: item[1].seen_s)[0]]
