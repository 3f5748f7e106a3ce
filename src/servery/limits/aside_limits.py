"""How often an account may ask for what generates nothing, such as counting tokens."""

from collections.abc import Callable

from servery.core.clock import Clock
from servery.core.errors import LimitExceeded
from servery.limits.account_limits import AccountLimits, forget_one
from servery.limits.rules import LimitRules


class AsideLimits:
    """As many requests in a minute as the account may make for inference, counted apart from those, so that neither
    takes from the other. Each process counts its own; nothing is written down. Remembers ``rules.tracked_accounts``
    accounts, and beyond that forgets as ``Limiter`` does. ``random`` gives numbers in [0, 1), for the jitter of waits.
    """

    def __init__(self, clock: Clock, *, random: Callable[[], float], rules: LimitRules) -> None:
        self._now = clock.monotonic_s
        self._random = random
        self._rules = rules
        self._accounts: dict[str, AccountLimits] = {}

    def take(self, account: str, *, funded: bool) -> None:
        """Count one request. Raises LimitExceeded where there is no room for it, and then it is not counted."""
        now_s = self._now()
        limits = self._accounts.get(account) or self._new_account(account, now_s, funded=funded)
        if limits.take_request(now_s, funded=funded):
            return
        shortage = limits.shortage()
        retry_after_s = shortage.wait_s * (1.0 + self._rules.retry_jitter * self._random())
        raise LimitExceeded(
            f"rate limit exceeded, please try again later: {shortage.limit_per_minute} requests of this kind per"
            f" minute; retry after {retry_after_s:.1f} s",
            retry_after_s=retry_after_s,
            shortage=shortage,
        )

    def _new_account(self, account: str, now_s: float, *, funded: bool) -> AccountLimits:
        if len(self._accounts) >= self._rules.tracked_accounts:
            forget_one(self._accounts)
        limits = self._accounts[account] = AccountLimits(self._rules, funded=funded, now_s=now_s)
        return limits
