"""What an account allows itself in a month, and how the operator sets its standing."""

import msgspec

from servery.billing.spend_tiers import TIERS
from servery.control.account_review import AccountReview
from servery.core.clock import Clock
from servery.core.errors import InvalidRequest
from servery.core.money import NANODOLLARS_PER_DOLLAR
from servery.store.database import Database
from servery.tenancy.accounts import Account, AccountChange


class SpendLimit:
    """Changes to accounts that change what they may spend: each is reviewed in its own transaction."""

    def __init__(self, database: Database, clock: Clock, review: AccountReview) -> None:
        self._database = database
        self._clock = clock
        self._review = review

    def most_dollars(self, account: Account) -> int:
        """The highest limit: what its tier may owe; a prepaid account, which owes nothing, may set what the highest
        tier may."""
        tier = TIERS if account.prepaid else account.spend_tier
        return self._review.tiers.budget_nanodollars(tier) // NANODOLLARS_PER_DOLLAR

    async def set(self, account_id: str, dollars: int) -> Account:
        """A limit of the account's own; the highest means none, so that it rises with the tier. Raises NotFound, and
        InvalidRequest for more than that."""
        now_ns = self._clock.wall_ns()

        def changed(account: Account) -> Account:
            most = self.most_dollars(account)
            if not 0 <= dollars <= most:
                raise InvalidRequest(f"value is at most {most} dollars", param="value")
            own = None if dollars == most else dollars
            return msgspec.structs.replace(account, spend_limit_dollars=own, spend_limit_set_ns=now_ns)

        return await self._write(account_id, changed)

    async def pin_tier(self, account_id: str, tier: int | None) -> Account:
        """Give an account a spend tier, for good; None: let it rise by itself again. Raises NotFound, and
        InvalidRequest for a tier that there is not."""
        if tier is not None and not 1 <= tier <= TIERS:
            raise InvalidRequest(f"spend tiers are 1 to {TIERS}", param="spendTier")
        return await self._write(
            account_id,
            lambda account: msgspec.structs.replace(
                account, spend_tier=account.spend_tier if tier is None else tier, tier_pinned=tier is not None
            ),
        )

    async def set_prepaid(self, account_id: str, *, prepaid: bool) -> Account:
        """Let an account spend its credits alone, or owe as well. Raises NotFound."""
        return await self._write(account_id, lambda account: msgspec.structs.replace(account, prepaid=prepaid))

    async def tell_at(self, account_id: str, thresholds_nanodollars: tuple[int, ...]) -> Account:
        """The amounts of a month's spending at which the account wants to be told. Raises NotFound."""
        ordered = tuple(sorted(set(thresholds_nanodollars)))
        return await self._write(account_id, lambda account: msgspec.structs.replace(account, spend_thresholds=ordered))

    async def _write(self, account_id: str, change: AccountChange) -> Account:
        return await self._database.change(lambda connection: self._review.within(connection, account_id, change))
