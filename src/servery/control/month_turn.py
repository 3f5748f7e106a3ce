"""The turn of the month: budgets begin anew, and accounts that stood still for money are told that they work again."""

from servery.billing.billing_month import BillingMonth
from servery.billing.old_spending import OldSpending
from servery.control.account_review import AccountReview
from servery.core.clock import Clock
from servery.store.database import Database
from servery.store.sql import load_queries


class MonthTurn:
    """``look`` is one of a platform's rounds. It works once in each month (of UTC), and after each start; several
    processes may, for an account that has been told is not told again."""

    def __init__(self, database: Database, clock: Clock, review: AccountReview) -> None:
        self._suspended = load_queries("servery.control", "account_notices.sql")["accounts_told_of_suspension"]
        self._database = database
        self._clock = clock
        self._review = review
        self._old_spending = OldSpending(database)
        self._seen: BillingMonth | None = None

    async def look(self) -> None:
        """Review those who were told in another month, perhaps, that they are suspended. What fails is done again by
        the next round. And what was spent long ago is put together."""
        month = BillingMonth.of(self._clock.wall_ns())
        if month == self._seen:
            return
        rows = await self._database.look_up(lambda connection: connection.execute(self._suspended).fetchall())
        for (account,) in rows:
            await self._review.run(account)
        await self._old_spending.fold(month)
        self._seen = month
