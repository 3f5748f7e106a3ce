"""Holding money for requests: what one account may spend now, kept in memory. Pure; times come in.

    room = limit - what was spent - what is held

A request holds its estimated price when it is admitted, and is refused when there is no room for it. What it really
costs takes the place of the hold when it ends. A running request that outgrows its hold covers what it has used so far,
which is never refused, because it is used already: it takes room from those who come next, below zero if need be.

So an account's month costs at most its limit, and what requests that were running when the room ran out used beyond
their holds. They were all admitted within the limit; none is admitted after it.
"""

from types import TracebackType
from typing import Final

from servery.billing.billing_month import BillingMonth
from servery.billing.standing import NEAR_LIMIT_PERCENT, Standing
from servery.core.acyclic import acyclic
from servery.core.price import Price

_NEVER: Final = 2**62


class Purse:
    """The money of one account in the current month. ``room_nanodollars`` may be negative. ``is_active`` is kept by who
    learns the standings of those that are."""

    __slots__ = (
        "_held",
        "_here",
        "_here_by_month",
        "_standing",
        "alert_at_nanodollars",
        "ends_ns",
        "is_active",
        "last_used_ns",
        "room_nanodollars",
        "starts_ns",
        "warn_below_nanodollars",
    )

    def __init__(self, standing: Standing, *, now_ns: int) -> None:
        self._held = 0
        self._here_by_month: dict[int, int] = {}
        self.alert_at_nanodollars = _NEVER
        self.last_used_ns = now_ns
        self.is_active = False
        self._here = 0
        self._take(standing)

    @property
    def standing(self) -> Standing:
        """As it was learnt last, with what has been charged here since."""
        return self._standing

    @property
    def is_held(self) -> bool:
        return self._held > 0

    @property
    def is_watched(self) -> bool:
        """Whether what others charge is of interest while nothing is held."""
        return False

    @property
    def spent_nanodollars(self) -> int:
        standing = self._standing
        elsewhere = standing.charged_nanodollars - standing.charged_here_nanodollars
        return elsewhere + self._here - standing.reversed_nanodollars

    @property
    def used_share(self) -> float:
        """Of the limit, what was spent and is held: 0 to 1, and beyond."""
        limit = self._standing.limit_nanodollars
        return (limit - self.room_nanodollars) / limit if limit > 0 else 1.0

    def learn(self, standing: Standing) -> None:
        """What the books say. Of what this process has charged, memory knows at least as much: charges count here when
        they are queued to be posted. A standing of another month than this purse's is too late or too early."""
        if standing.month == self._standing.month:
            self._take(standing)

    def turn(self, now_ns: int) -> None:
        """Another month has begun, or the clock was set back: what credits were used is used, nothing is owed yet."""
        old = self._standing
        spent = self.spent_nanodollars
        left = max(0, old.credits_nanodollars - max(0, spent))
        month = BillingMonth.of(now_ns).number
        here_before = self._here_by_month.get(month, 0)
        self._here_by_month = {old.month: self._here}  # one month back is as far as a clock is trusted to jump
        self._here = 0
        self._take(
            Standing(
                account=old.account,
                month=month,
                owed_limit_nanodollars=old.owed_limit_nanodollars,
                own_limit_nanodollars=old.own_limit_nanodollars,
                prepaid=old.prepaid,
                credits_nanodollars=left,
                credit_used_nanodollars=0,
                charged_nanodollars=here_before,
                charged_here_nanodollars=here_before,
                reversed_nanodollars=0,
                qualifying_nanodollars=old.qualifying_nanodollars,
            )
        )

    def lacks(self, nanodollars: int) -> bool:
        """Whether there is no room for so much, or for anything."""
        return nanodollars > self.room_nanodollars or self.room_nanodollars <= 0

    def hold(self, nanodollars: int) -> None:
        self._held += nanodollars
        self.room_nanodollars -= nanodollars

    def unhold(self, nanodollars: int) -> None:
        self._held -= nanodollars
        self.room_nanodollars += nanodollars

    def charge(self, nanodollars: int) -> bool:
        """Spend; true when somebody should look at the account."""
        self._here += nanodollars
        self.room_nanodollars -= nanodollars
        if self._here < self.alert_at_nanodollars:
            return False
        self.alert_at_nanodollars = _NEVER  # once is enough, until the standing is learnt anew
        return True

    def _take(self, standing: Standing) -> None:
        self._standing = standing
        month = BillingMonth(standing.month)
        self.starts_ns, self.ends_ns = month.start_ns, month.end_ns
        self._here = max(self._here, standing.charged_here_nanodollars)
        limit, spent = standing.limit_nanodollars, self.spent_nanodollars
        self.room_nanodollars = limit - spent - self._held
        self.warn_below_nanodollars = limit - limit * NEAR_LIMIT_PERCENT // 100
        ahead = [amount for amount in (*standing.alerts_nanodollars, limit) if amount > spent]
        self.alert_at_nanodollars = self._here + min(ahead) - spent if ahead else _NEVER


@acyclic
class Hold:
    """Money held for one request. It ends once: settled, or given back at the end of its block."""

    __slots__ = ("_alerts", "_nanodollars", "_open", "_purse", "near_limit")

    def __init__(self, purse: Purse, nanodollars: int, alerts: set[str]) -> None:
        purse.hold(nanodollars)
        self._purse = purse
        self._nanodollars = nanodollars
        self._alerts = alerts
        self._open = True
        self.near_limit = purse.room_nanodollars <= purse.warn_below_nanodollars

    @property
    def used_share(self) -> float:
        """Of the account's limit: what was spent and is held now."""
        return self._purse.used_share

    def cover(self, nanodollars: int) -> None:
        """The request has used ``nanodollars`` so far: hold that much, if it is more."""
        more = nanodollars - self._nanodollars
        if self._open and more > 0:
            self._purse.hold(more)
            self._nanodollars = nanodollars

    def settle(self, nanodollars: int) -> None:
        """What the request costs is about to be posted. Settling again, or after ``release``, changes nothing."""
        if not self._open:
            return
        self._open = False
        purse = self._purse
        purse.unhold(self._nanodollars)
        if purse.charge(nanodollars):
            self._alerts.add(purse.standing.account)

    def release(self) -> None:
        """The request costs nothing, or was settled."""
        if self._open:
            self._open = False
            self._purse.unhold(self._nanodollars)

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def estimated_nanodollars(price: Price, *, prompt_tokens: int, generated_tokens: int) -> int:
    """What a request is expected to cost, rounded up; nothing is known yet of its cache."""
    picodollars = (
        prompt_tokens * price.input_picodollars_per_token + generated_tokens * price.output_picodollars_per_token
    )
    return -(-picodollars // 1_000)
