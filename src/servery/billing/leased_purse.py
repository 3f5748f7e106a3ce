"""The money of one account as one of several gateways may spend it."""

from typing import Final

from servery.billing.budget import Purse
from servery.billing.money_lending import MoneyAsk, MoneyLoan
from servery.billing.standing import Standing
from servery.core.clock import Clock

_STOCK_S: Final = 10.0
_MEMORY: Final = 0.5
"""The share that the last look has in what is known of spending."""
_AHEAD: Final = 4
"""How many times what requests are waiting for is wanted on stock at least."""
_RENEWALS: Final = 4
"""How often what is kept is asked for again before it may not be spent any more."""
_LEFT_DIVISOR: Final = 16
"""On stock stays at most this part of what is left for all."""


class LeasedPurse(Purse):
    """A purse out of which is held only what was lent to this gateway. The rest of it, room, warnings and alerts, is
    about the account as a whole, as the books showed it last.

    ``trusted_s``: how long what was lent may be spent without another word from the database. By then nobody else may
    have it yet: gateways keep time by their own monotonic clocks, and the database waits much longer.
    """

    __slots__ = (
        "_asked_s",
        "_at_look",
        "_clock",
        "_looked_s",
        "_told_to",
        "_trusted_s",
        "highest_nanodollars",
        "level_nanodollars",
        "stock_nanodollars",
        "wanted_nanodollars",
    )

    def __init__(self, standing: Standing, clock: Clock, *, trusted_s: float) -> None:
        super().__init__(standing, now_ns=clock.wall_ns())
        self._clock = clock
        self._trusted_s = trusted_s
        self._looked_s = clock.monotonic_s()
        self._asked_s = self._looked_s - trusted_s
        self._at_look = self._here
        self._told_to = self._here
        self.level_nanodollars = self._here
        self.stock_nanodollars = 0
        self.wanted_nanodollars: list[int] = []
        """What each of the requests needs that wait for a loan."""

    @property
    def lent_nanodollars(self) -> int:
        """What is here to be held; below nothing where requests have used more than was lent for them."""
        return self.level_nanodollars - self._here - self._held

    @property
    def is_watched(self) -> bool:
        return self.lent_nanodollars > 0

    @property
    def is_trusted(self) -> bool:
        return self._clock.monotonic_s() - self._asked_s < self._trusted_s

    @property
    def is_at_highest(self) -> bool:
        """Nothing was left to be lent when it was asked for last."""
        return self.level_nanodollars >= self.highest_nanodollars

    def lacks(self, nanodollars: int) -> bool:
        lent = self.lent_nanodollars
        return lent < nanodollars or lent <= 0 or not self.is_trusted

    def turn(self, now_ns: int) -> None:
        """As ``Purse.turn``; of the new month nothing is lent yet."""
        super().turn(now_ns)
        self.level_nanodollars = self._told_to = self._at_look = self._here

    def ask(self) -> MoneyAsk:
        """For what requests are waiting for, and what is wanted on stock."""
        kept_to, used_to, wanted = self._promised_to(), self._here + self._held, sum(self.wanted_nanodollars)
        need_to = max(kept_to, used_to + wanted)
        return MoneyAsk(
            account=self.standing.account,
            month=self.standing.month,
            kept_to=kept_to,
            least_to=used_to + min(self.wanted_nanodollars),
            need_to=need_to,
            want_to=need_to + max(self.stock_nanodollars, _AHEAD * wanted),
        )

    def regular_ask(self) -> MoneyAsk | None:
        """To be called about once a second: stock follows spending; None where there is nothing to say. What is
        given back is gone from here when this returns."""
        now_s = self._clock.monotonic_s()
        self._look(now_s)
        used_to = self._here + self._held
        want_to = used_to + self.stock_nanodollars
        self.level_nanodollars = max(used_to, min(self._promised_to(), want_to, self.highest_nanodollars))
        is_due = now_s - self._asked_s > self._trusted_s / _RENEWALS and (self.is_held or self.lent_nanodollars > 0)
        if self.level_nanodollars == self._told_to and want_to <= self.level_nanodollars and not is_due:
            return None
        kept_to = max(used_to, self.level_nanodollars)
        return self._regular(kept_to, want_to=want_to)

    def last_ask(self) -> MoneyAsk:
        """All that is not used goes back."""
        used_to = self.level_nanodollars = self._here + self._held
        return self._regular(used_to, want_to=used_to)

    def take(self, loan: MoneyLoan, ask: MoneyAsk, *, asked_s: float) -> None:
        """What was lent for ``ask``, which was sent at ``asked_s``. Of a month that is over it is too late."""
        if ask.month != self.standing.month:
            return
        self._asked_s = max(self._asked_s, asked_s)
        self._told_to = loan.level_nanodollars
        self.highest_nanodollars = loan.highest_nanodollars
        used_to = self._here + self._held
        self.level_nanodollars = max(used_to, min(loan.level_nanodollars, loan.highest_nanodollars))

    def _take(self, standing: Standing) -> None:
        super()._take(standing)
        free = standing.limit_nanodollars - standing.spent_nanodollars - standing.lent_elsewhere_nanodollars
        self.highest_nanodollars = standing.charged_here_nanodollars + free

    def _promised_to(self) -> int:
        """The level that is not given up: what was lent, unless that may be others' by now, and what is used."""
        used_to = self._here + self._held
        return max(used_to, self.level_nanodollars) if self.is_trusted else used_to

    def _look(self, now_s: float) -> None:
        elapsed_s = now_s - self._looked_s
        if elapsed_s <= 0.0:
            return
        spent = max(0, self._here - self._at_look)
        stock = self.stock_nanodollars * (1 - _MEMORY) + spent * _MEMORY * _STOCK_S / elapsed_s
        left = max(0, self.highest_nanodollars - self._here - self._held)
        self.stock_nanodollars = min(round(stock), left // _LEFT_DIVISOR)
        self._looked_s, self._at_look = now_s, self._here

    def _regular(self, kept_to: int, *, want_to: int) -> MoneyAsk:
        return MoneyAsk(
            account=self.standing.account,
            month=self.standing.month,
            kept_to=kept_to,
            least_to=kept_to,
            need_to=kept_to,
            want_to=want_to,
        )
