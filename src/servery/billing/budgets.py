"""The budgets of all accounts, as one process holds them: checked on every request without asking anybody."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol

from servery.billing.billing_month import BillingMonth
from servery.billing.budget import Hold, Purse
from servery.billing.standing import Standing
from servery.core.clock import Clock
from servery.core.errors import NotFound, PreconditionFailed
from servery.core.suspend_state import SuspendState, suspension_message

MAX_TRACKED: Final = 100_000
_IDLE_NS: Final = 60_000_000_000
"""What an account has charged is in the books long before this."""

_READ_TOGETHER: Final = 128
"""Of so many accounts the standings are read at once: on SQLite that is a millisecond or two of the event loop."""

_REFRESHED_TOGETHER: Final = 1_024
"""How many accounts a refresh of the active ones reads at most: the others' turn is at the next."""


class Standings(Protocol):
    """Where remaining money comes from: the books, or a share of it that others have agreed on."""

    async def read(self, accounts: Sequence[str], month: int) -> Mapping[str, Standing]:
        """The standings of those that exist, all of one moment."""
        ...


class Budgets:
    """Purses by account, learnt when an account is first met, kept by what is charged here, and corrected by what the
    books say. ``new_purse`` makes them for one of several who spend; None: for one who spends alone, whose books change
    by what is charged here, and by changes that touch the account's revision. ``alerts`` are accounts whose standing
    somebody should look at; whoever does so takes them out."""

    def __init__(
        self,
        standings: Standings,
        clock: Clock,
        *,
        new_purse: Callable[[Standing], Purse] | None = None,
        max_tracked: int = MAX_TRACKED,
    ) -> None:
        self._standings = standings
        self._wall_ns = clock.wall_ns
        self._max_tracked = max_tracked
        self._others_spend = new_purse is not None
        self._new_purse = new_purse or (lambda standing: Purse(standing, now_ns=clock.wall_ns()))
        self._purses: dict[str, Purse] = {}
        self._active: dict[str, None] = {}  # a set that keeps its order
        self.alerts: set[str] = set()

    def knows(self, account: str) -> bool:
        return account in self._purses

    def purse(self, account: str) -> Purse | None:
        """That of an account that is known."""
        return self._purses.get(account)

    async def learn(self, account: str) -> None:
        """Get to know an account. Raises NotFound, and Overloaded while the books cannot be read."""
        now_ns = self._wall_ns()
        read = await self._standings.read([account], BillingMonth.of(now_ns).number)
        standing = read.get(account)
        if standing is None:
            raise NotFound(f"There is no account {account!r}.")
        if account not in self._purses:  # else another request was faster, and may hold already
            self._make_room(now_ns)
            self._purses[account] = self._new_purse(standing)

    def hold(self, account: str, nanodollars: int) -> Hold:
        """Hold an estimate for a request of an account that is known. Raises PreconditionFailed when there is no room
        for it, or for anything."""
        purse = self._purses[account]
        now_ns = self._wall_ns()
        if not purse.starts_ns <= now_ns < purse.ends_ns:
            purse.turn(now_ns)
            self.alerts.add(account)
        purse.last_used_ns = now_ns
        if self._others_spend and not purse.is_active:
            purse.is_active = True
            self._active[account] = None
        if purse.lacks(nanodollars):
            raise _refusal(purse)
        return Hold(purse, nanodollars, self.alerts)

    def check(self, account: str) -> None:
        """Raises PreconditionFailed when an account that is known has nothing left to spend."""
        purse = self._purses[account]
        if not purse.starts_ns <= self._wall_ns() < purse.ends_ns:
            purse.turn(self._wall_ns())
        if purse.room_nanodollars <= 0:
            raise _refusal(purse)

    async def refresh(self, accounts: Sequence[str] | None = None) -> None:
        """Read the standings of those of ``accounts`` that are known, or where others spend too of those that have been
        active since they were read last: 1,024 at most, longest waiting first. Raises Overloaded while the books cannot
        be read."""
        left = min(len(self._active), _REFRESHED_TOGETHER) if accounts is None else len(accounts)
        while left > 0:
            count = min(left, _READ_TOGETHER)
            await self._refresh(self._next_active(count) if accounts is None else accounts[-left:][:count])
            left -= count
            await asyncio.sleep(0)  # requests come first

    def _next_active(self, count: int) -> list[str]:
        chosen = list(islice(self._active, count))
        for account in chosen:
            del self._active[account]
            purse = self._purses.get(account)
            if purse is not None:
                purse.is_active = purse.is_watched
                if purse.is_active:
                    self._active[account] = None
        return chosen

    async def _refresh(self, accounts: Sequence[str]) -> None:
        chosen = [account for account in accounts if account in self._purses]
        if not chosen:
            return
        now_ns = self._wall_ns()
        for account in chosen:
            if not self._purses[account].starts_ns <= now_ns < self._purses[account].ends_ns:
                self._purses[account].turn(now_ns)
        read = await self._standings.read(chosen, BillingMonth.of(now_ns).number)
        for account, standing in read.items():
            if account in self._purses:
                self._purses[account].learn(standing)

    def _make_room(self, now_ns: int) -> None:
        """Forget an account that holds nothing and has been still for long, when there are too many. Those met first
        are looked at first; while all of them are busy, there are more for a while."""
        if len(self._purses) < self._max_tracked:
            return
        for account, purse in self._purses.items():
            if not purse.is_held and now_ns - purse.last_used_ns > _IDLE_NS:
                del self._purses[account]
                return


def _refusal(purse: Purse) -> PreconditionFailed:
    standing = purse.standing
    if purse.spent_nanodollars >= standing.limit_nanodollars:
        by_own = standing.own_limit_nanodollars == standing.limit_nanodollars
        depleted = standing.prepaid and not by_own
        state = SuspendState.CREDIT_DEPLETED if depleted else SuspendState.MONTHLY_SPEND_LIMIT_EXCEEDED
        return PreconditionFailed(suspension_message(standing.account, state))
    return PreconditionFailed(
        f"What is left of account {standing.account}'s "
        f"{'credits' if standing.prepaid else 'monthly spending limit'} does not cover this request"
        " beside those that are running: ask for less, wait for them, or add credits."
    )
