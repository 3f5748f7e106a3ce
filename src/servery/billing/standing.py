"""An account's standing: what it may still spend in a month, and why."""

import msgspec

from servery.core.suspend_state import SuspendState

NEAR_LIMIT_PERCENT = 80
"""From here on an account is told that its money comes to an end."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Nano-dollars of one account in one month (``month`` counts months of UTC: 12 x year + month - 1).

    Every charge is paid from credits first, as far as they reach; the rest is owed. So a month may cost

        limit = credits + what may be owed,    and no more than the account allows itself.

    ``credits_nanodollars`` are those left now together with those that this month's charges have used;
    ``owed_limit_nanodollars`` is the budget of the account's tier, or 0 when it is prepaid; ``own_limit_nanodollars``
    is the account's own, None for none. ``charged_nanodollars`` is gross and ``reversed_nanodollars`` was given back;
    of the charges, ``charged_here_nanodollars`` were posted by this process. ``qualifying_nanodollars`` are all that
    was ever spent beyond credits, and all credits ever added. ``lent_elsewhere_nanodollars``: what other gateways have
    borrowed and not charged.
    """

    account: str
    month: int
    owed_limit_nanodollars: int
    own_limit_nanodollars: int | None
    prepaid: bool
    credits_nanodollars: int
    credit_used_nanodollars: int
    charged_nanodollars: int
    charged_here_nanodollars: int
    reversed_nanodollars: int
    qualifying_nanodollars: int
    lent_elsewhere_nanodollars: int = 0
    alerts_nanodollars: tuple[int, ...] = ()
    """Amounts of the month's spending at which somebody wants to look at the account."""

    @property
    def limit_nanodollars(self) -> int:
        """What the month may cost in all."""
        limit = max(0, self.credits_nanodollars + self.owed_limit_nanodollars)
        return limit if self.own_limit_nanodollars is None else min(limit, self.own_limit_nanodollars)

    @property
    def spent_nanodollars(self) -> int:
        return self.charged_nanodollars - self.reversed_nanodollars

    @property
    def credits_left_nanodollars(self) -> int:
        return self.credits_nanodollars - self.credit_used_nanodollars

    @property
    def used_percent(self) -> int:
        """Of the limit, rounded down; 100 where nothing is allowed."""
        limit = self.limit_nanodollars
        return 100 * self.spent_nanodollars // limit if limit > 0 else 100

    @property
    def suspend_state(self) -> SuspendState:
        """What follows from the money alone."""
        if self.spent_nanodollars < self.limit_nanodollars:
            return SuspendState.UNSUSPENDED
        own = self.own_limit_nanodollars
        if self.prepaid and (own is None or self.spent_nanodollars < own):
            return SuspendState.CREDIT_DEPLETED
        return SuspendState.MONTHLY_SPEND_LIMIT_EXCEEDED
