"""A gateway's dealings with the money that it shares with others."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from servery.billing.budget import Hold
from servery.billing.budgets import Budgets
from servery.billing.leased_purse import LeasedPurse
from servery.billing.money_book import MoneyBook
from servery.billing.money_lending import MoneyAsk
from servery.billing.standing import Standing
from servery.core.clock import Clock
from servery.core.errors import PreconditionFailed

_ATTEMPTS: Final = 4
"""Requests of one account that come in between may take what another has borrowed; not for long."""


class MoneyLender:
    """Borrows for a request what its gateway lacks, keeps some on stock for what comes next, and gives back what is not
    used. While the database is away, requests are served from what is here; then they are refused with 503."""

    def __init__(self, budgets: Budgets, book: MoneyBook, clock: Clock) -> None:
        """``budgets`` have leased purses."""
        self._budgets = budgets
        self._book = book
        self._clock = clock
        self._borrowers: dict[str, LeasedPurse] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        """One ask at a time of each account, so that what was said last is what counts."""

    async def hold(self, account: str, nanodollars: int) -> Hold:
        """As ``Budgets.hold``. Raises PreconditionFailed when the account has not enough at any gateway, and what
        ``Database.write`` raises."""
        try:
            return self._budgets.hold(account, nanodollars)
        except PreconditionFailed as error:
            refusal = error
        purse = self._borrower(account)
        purse.wanted_nanodollars.append(max(nanodollars, 1))
        try:
            for _ in range(_ATTEMPTS):
                async with self._asking.setdefault(account, asyncio.Lock()):
                    if purse.lacks(nanodollars):
                        await self._borrow(purse)
                    try:
                        return self._budgets.hold(account, nanodollars)
                    except PreconditionFailed as error:
                        refusal = error
                if purse.is_at_highest:
                    break
            raise refusal
        finally:
            purse.wanted_nanodollars.remove(max(nanodollars, 1))

    async def look_after(self) -> None:
        """To be called about once a second: let stocks follow what is spent. Raises what ``Database.write`` raises."""
        await self._tell(LeasedPurse.regular_ask)
        for account, purse in list(self._borrowers.items()):
            if self._budgets.purse(account) is not purse or not (purse.is_held or purse.lent_nanodollars > 0):
                self._forget(account)

    async def close(self) -> None:
        """Give everything back. Raises what ``Database.write`` raises."""
        await self._tell(LeasedPurse.last_ask)

    def _borrower(self, account: str) -> LeasedPurse:
        purse = self._budgets.purse(account)
        assert isinstance(purse, LeasedPurse), "the budgets have leased purses, and the account is known"
        self._borrowers[account] = purse
        return purse

    def _forget(self, account: str) -> None:
        """Of an account that has nothing here any more."""
        lock = self._asking.get(account)
        if lock is None or not lock.locked():
            del self._borrowers[account]
            self._asking.pop(account, None)

    async def _borrow(self, purse: LeasedPurse) -> None:
        ask, asked_s = purse.ask(), self._clock.monotonic_s()
        purse.take(await self._book.lend(ask), ask, asked_s=asked_s)

    async def _tell(self, say: Callable[[LeasedPurse], MoneyAsk | None]) -> None:
        """Ask for all at once; those for which a request is just asking come the next time."""
        locks = {account: self._asking.setdefault(account, asyncio.Lock()) for account in self._borrowers}
        free = [account for account, lock in locks.items() if not lock.locked()]
        async with AsyncExitStack() as held:
            for account in free:
                await held.enter_async_context(locks[account])
            asked_s = self._clock.monotonic_s()
            asks = {account: ask for account in free if (ask := say(self._borrowers[account])) is not None}
            loans = await self._book.lend_all(list(asks.values())) if asks else []
            for ask, loan in zip(asks.values(), loans, strict=True):
                self._borrowers[ask.account].take(loan, ask, asked_s=asked_s)


def leased_purses(clock: Clock, *, trusted_s: float) -> Callable[[Standing], LeasedPurse]:
    """How ``Budgets`` make their purses where several gateways spend."""
    return lambda standing: LeasedPurse(standing, clock, trusted_s=trusted_s)
