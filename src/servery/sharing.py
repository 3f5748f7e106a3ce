"""What a gateway does because others serve the same accounts."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from servery.billing.borrower_file import BorrowerFile, retired_borrowers
from servery.billing.budget import Purse
from servery.billing.budgets import Budgets
from servery.billing.money_book import MoneyBook
from servery.billing.money_lender import MoneyLender, leased_purses
from servery.billing.spending import Spending
from servery.billing.standing import Standing
from servery.control.rounds import Duty
from servery.core.clock import Clock
from servery.fleet.share import Share
from servery.fleet.station import Station
from servery.limits.lender import Lender
from servery.limits.limiter import Limiter
from servery.limits.loan_book import LoanBook
from servery.limits.rules import limit_rules
from servery.settings import Settings
from servery.store.database import Database

_TRUSTED_SHARE = 0.2
"""Of the time for which the database keeps what was lent: so long it is spent without another word. The rest is for
what has been spent to come into the books."""


class Sharing(msgspec.Struct, frozen=True):
    """Who borrows for this gateway: tokens of limits, and money."""

    tokens: Lender
    money: MoneyLender
    book: MoneyBook
    writer: str

    @property
    def duties(self) -> list[Duty]:
        return [self.tokens.look_after, self.money.look_after]

    async def take_over(self, directory: Path, share: Share) -> None:
        """Give back what a predecessor had borrowed, once all that it had charged is in the books."""
        gone = BorrowerFile(directory, share.index).replace(self.writer)
        if share.index == 0:
            gone += retired_borrowers(directory, workers=share.count)
        await self.book.give_back(gone)

    async def close(self) -> None:
        """Give everything back. Raises what ``Database.write`` raises."""
        await self.tokens.close()
        await self.money.close()


def is_shared(settings: Settings, station: Station) -> bool:
    """Whether other gateways may serve the same accounts."""
    return station.share.count > 1 or settings.database is not None


def purses(settings: Settings, station: Station, clock: Clock) -> Callable[[Standing], Purse] | None:
    """How the budgets make purses; None: as for one who spends alone."""
    if not is_shared(settings, station):
        return None
    return leased_purses(clock, trusted_s=settings.money_lease_s * _TRUSTED_SHARE)


def sharing(
    settings: Settings, clock: Clock, *, database: Database, limiter: Limiter, budgets: Budgets, spending: Spending
) -> Sharing:
    """For one of several gateways."""
    book = MoneyBook(database, clock, spending, kept_s=settings.money_lease_s)
    return Sharing(
        tokens=Lender(limiter, LoanBook(database, clock, limit_rules(settings)), clock),
        money=MoneyLender(budgets, book, clock),
        book=book,
        writer=spending.writer,
    )
