"""Keeping what is in memory of accounts, keys and money in step with the database."""

from collections.abc import Awaitable, Callable

from servery.billing.budgets import Budgets
from servery.control.account_review import AccountReview
from servery.tenancy.key_ring import KeyRing


class AccountWatch:
    """``look`` is one of a platform's rounds; ``changed`` is for those who have just changed something and do not want
    to wait for it."""

    def __init__(
        self,
        key_ring: KeyRing,
        budgets: Budgets,
        review: AccountReview,
        *,
        caught_up: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """``caught_up`` returns when what was charged here before is in the books; None: it always is."""
        self._key_ring = key_ring
        self._budgets = budgets
        self._review = review
        self._caught_up = caught_up

    async def look(self) -> None:
        """Review the accounts whose money asks for it, notice what others have changed, and what they have charged."""
        alerts = list(self._budgets.alerts)
        if alerts and self._caught_up is not None:
            await self._caught_up()  # the books are what is reviewed
        for account in alerts:
            await self._reviewed(account)
        await self.changed()
        await self._budgets.refresh()

    async def changed(self) -> None:
        """Take notice of changes to accounts, users, keys and credits."""
        await self._budgets.refresh(await self._key_ring.refresh())

    async def _reviewed(self, account: str) -> None:
        await self._review.run(account)
        await self._budgets.refresh([account])
        self._budgets.alerts.discard(account)
