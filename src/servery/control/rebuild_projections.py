"""Rebuilding what is derived from the transfers: balances, and what accounts have spent month by month."""

from collections.abc import Iterator

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.spending import Spending
from servery.control.spending_projection import SpendingProjection, SpendingSums
from servery.core.clock import Clock
from servery.ledger.ledger import Ledger
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.tenancy.account_revision import AccountRevision


class RebuiltProjections(msgspec.Struct, frozen=True):
    """How many balances, and how many accounts' months, were not what the transfers say and are now."""

    balances: int
    spending_months: int


class ProjectionRebuild:
    """Computes projections anew. Usage records and transfers are not touched."""

    def __init__(self, database: Database, clock: Clock, spending: Spending) -> None:
        self._hold = load_queries("servery.control", "spending_projection.sql")["hold_all_postings"]
        self._database = database
        self._ledger = Ledger(database, clock)
        self._spending = spending
        self._revision = AccountRevision()

    async def rebuild(self) -> RebuiltProjections:
        """In one transaction, in which nobody else posts. Takes seconds for a million usage records; doing it again
        changes nothing."""
        return await self._database.change(self.rebuild_within)

    def rebuild_within(self, connection: Connection) -> RebuiltProjections:
        """The same, as a part of a transaction."""
        connection.execute(self._hold)
        before = self._ledger.balances_within(connection)
        self._ledger.rebuild_balances_within(connection)
        after = self._ledger.balances_within(connection)
        wrong = list(self._wrong_months(connection))
        for account, month, difference in wrong:
            # To the operator's row: what each process has posted itself stays as that process knows it.
            self._spending.corrected_within(
                connection,
                account,
                month,
                charged=difference.charged,
                credit_used=difference.credit_used,
                credit_added=difference.credit_added,
                reversed_=difference.reversed,
            )
            self._revision.touch(connection, account)
        changed = sum(before.get(name, 0) != after.get(name, 0) for name in before | after)
        return RebuiltProjections(balances=changed, spending_months=len(wrong))

    def _wrong_months(self, connection: Connection) -> Iterator[tuple[str, BillingMonth, SpendingSums]]:
        """What has to be added to each."""
        projection = SpendingProjection(connection)
        expected, kept = projection.from_transfers(projection.charged_hours()), projection.kept()
        none = SpendingSums()
        for place in sorted(expected | kept):
            ought, is_ = expected.get(place, none), kept.get(place, none)
            if ought != is_:
                yield (*place, ought.less(is_))
