"""What accounts have spent in months long past, in one row for each account and month."""

from servery.billing.billing_month import BillingMonth
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class OldSpending:
    """Every start of a process adds rows of its own to ``spending_months``, and a look at an account's money reads all
    of the account's. Which process has charged what matters for as long as it may hold money of that month."""

    def __init__(self, database: Database) -> None:
        queries = load_queries("servery.billing", "old_spending.sql")
        self._fold = queries["fold_old_months"]
        self._forget = queries["forget_folded"]
        self._database = database

    async def fold(self, now: BillingMonth) -> None:
        """Of all months but that of ``now`` and the one before it. Doing so again, or at once with others, or while
        charges of those months are posted, changes no sum."""
        before = {"before": now.number - 1}

        def operation(connection: Connection) -> None:
            connection.execute(self._fold, before)
            connection.execute(self._forget, before)

        await self._database.write(operation)
