"""Money that several gateways spend of one account: what is lent to each. Pure.

Each gateway has a level: how much it may charge in the month, in all. What it has charged so far stands in the books,
so what it has borrowed and not yet used is the difference, and every posting lowers that by as much as it raises what
was spent. Nothing has to be told of a charge but the charge itself.

    |<------------- charged, by all ------------->|<- lent to A ->|<- lent to B ->|<--- highest for C --->|
    0                                                                                                   limit

A level is absolute: asking for it again, because an answer was lost, changes nothing.
"""

import msgspec

from servery.billing.standing import Standing

_STOCK_DIVISOR = 8
"""At most this part of what is there goes to one gateway beyond what its requests need, and nothing where they need
more than that: the most is left to whoever needs it, and near the limit all of it."""


class MoneyAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Levels, in nano-dollars of ``month``. ``kept_to`` is promised to requests already, and not to be taken away;
    ``need_to`` is wanted at once, as far as it is there, but nothing of it if not at least ``least_to``; up to
    ``want_to`` on stock."""

    account: str
    month: int
    kept_to: int
    least_to: int
    need_to: int
    want_to: int


class MoneyLoan(msgspec.Struct, frozen=True, kw_only=True):
    """``level_nanodollars`` is what the gateway has now; it could not have more than ``highest_nanodollars``, which may
    be less than it keeps when the limit was lowered."""

    level_nanodollars: int
    highest_nanodollars: int


def lend(standing: Standing, ask: MoneyAsk) -> MoneyLoan:
    """``standing`` is that of ``ask.month``, as the asking gateway's books show it, with what is lent to others."""
    free = standing.limit_nanodollars - standing.spent_nanodollars - standing.lent_elsewhere_nanodollars
    highest = standing.charged_here_nanodollars + free
    if ask.least_to > highest:
        return MoneyLoan(level_nanodollars=ask.kept_to, highest_nanodollars=highest)
    level = max(ask.kept_to, min(ask.need_to, highest))
    stock = min(ask.want_to - level, (highest - level) // _STOCK_DIVISOR - (level - ask.kept_to))
    return MoneyLoan(level_nanodollars=level + max(0, stock), highest_nanodollars=highest)
