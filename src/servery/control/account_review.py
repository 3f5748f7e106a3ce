"""Looking at an account after money moved: its spend tier, and whether it has anything to pay with."""

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.spend_tiers import SpendTiers
from servery.billing.spending import Spending
from servery.billing.standing import Standing
from servery.control.account_notices import AccountNotices
from servery.core.clock import Clock
from servery.core.suspend_state import SuspendState
from servery.store.connection import Connection
from servery.store.database import Database
from servery.tenancy.account_revision import AccountRevision
from servery.tenancy.accounts import Account, AccountChange, Accounts


class AccountReview:
    """Draws the conclusions from an account's standing. Reviewing again changes nothing; many processes may."""

    def __init__(self, database: Database, clock: Clock, *, spending: Spending, tiers: SpendTiers) -> None:
        self._database = database
        self._clock = clock
        self._spending = spending
        self._tiers = tiers
        self._accounts = Accounts(database, clock)
        self._revision = AccountRevision()
        self._notices = AccountNotices(clock)

    @property
    def tiers(self) -> SpendTiers:
        return self._tiers

    async def run(self, account_id: str) -> None:
        """In a transaction of its own. Raises NotFound."""
        await self._database.write(lambda connection: self.within(connection, account_id))

    def within(self, connection: Connection, account_id: str, change: AccountChange | None = None) -> Account:
        """In the transaction that has changed the account's money, or makes ``change`` of the account; returns the
        account as it is now.

        A spend tier rises by itself and never falls; one that the operator has pinned stays. What the
        account is to hear of goes into the outbox. Raises NotFound.
        """
        self._revision.hold(connection)  # what follows from the standing is written before anybody changes it
        account = self._accounts.required(connection, account_id)
        if change is not None:
            self._accounts.change(connection, account_id, change)
        standing = self.standing_within(connection, account_id)
        earned = self._tiers.tier_of(standing.qualifying_nanodollars)

        def concluded(before: Account) -> Account:
            return msgspec.structs.replace(
                before,
                spend_tier=before.spend_tier if before.tier_pinned else max(before.spend_tier, earned),
                funded=not before.prepaid or standing.credits_left_nanodollars > 0,
            )

        reviewed = self._accounts.change(connection, account_id, concluded)
        self._notices.tell(connection, account, reviewed, standing)
        return reviewed

    async def suspend(self, account_id: str, state: SuspendState) -> Account:
        """As ``suspend_within``, in a transaction of its own."""
        return await self._database.change(lambda connection: self.suspend_within(connection, account_id, state))

    def suspend_within(self, connection: Connection, account_id: str, state: SuspendState) -> Account:
        """In a transaction: the operator suspends the account for a reason, or with UNSUSPENDED resumes it. Raises
        NotFound."""
        return self.within(
            connection, account_id, lambda account: msgspec.structs.replace(account, suspend_state=state)
        )

    def standing_within(self, connection: Connection, account_id: str) -> Standing:
        """The account's standing in the month of now. The account exists."""
        month = BillingMonth.of(self._clock.wall_ns()).number
        return self._spending.standings_within(connection, [account_id], month)[account_id]

    async def standing(self, account_id: str) -> Standing:
        """As ``standing_within``, as last committed. Raises NotFound."""

        def read(connection: Connection) -> Standing:
            self._accounts.required(connection, account_id)
            return self.standing_within(connection, account_id)

        return await self._database.look_up(read)

    async def standings(self, account_ids: list[str]) -> dict[str, Standing]:
        """Those of accounts that exist."""
        month = BillingMonth.of(self._clock.wall_ns()).number
        return dict(await self._spending.read(account_ids, month))
