"""What an account is told when its standing changes: once, whoever notices it first."""

from enum import StrEnum
from typing import Final

from servery.billing.billing_month import BillingMonth
from servery.billing.standing import NEAR_LIMIT_PERCENT, Standing
from servery.core.clock import Clock
from servery.core.money import format_dollars
from servery.core.suspend_state import SuspendState, suspension_message
from servery.notifications.event import EventKind, Facts
from servery.notifications.outbox import Outbox
from servery.store.connection import Connection
from servery.store.sql import load_queries
from servery.tenancy.accounts import Account
from servery.tenancy.notice_addresses import NoticeAddresses

CREDIT_LOW_PERCENT: Final = 20
"""Of the credits that a month began with and was given, so much or less is little."""


class CreditState(StrEnum):
    """How an account's credits stand. NONE: it has none in this month, and has used none."""

    NONE = "none"
    ENOUGH = "enough"
    LOW = "low"
    DEPLETED = "depleted"


def credit_state(standing: Standing) -> CreditState:
    """What follows from the credits left and those of the month."""
    begun_with, left = standing.credits_nanodollars, standing.credits_left_nanodollars
    if begun_with <= 0:
        return CreditState.NONE
    if left <= 0:
        return CreditState.DEPLETED
    return CreditState.LOW if 100 * left <= CREDIT_LOW_PERCENT * begun_with else CreditState.ENOUGH


class AccountNotices:
    """Compares how an account stands with what it has been told, in the transaction of the change."""

    def __init__(self, clock: Clock) -> None:
        queries = load_queries("servery.control", "account_notices.sql")
        self._told_state = queries["told_state"]
        self._tell_state = queries["tell_state"]
        self._outbox = Outbox(clock)
        self._addresses = NoticeAddresses()

    def tell(self, connection: Connection, before: Account, after: Account, standing: Standing) -> None:
        """``before`` and ``after`` are the account's; ``standing`` is of the month of now."""
        if after.spend_tier != before.spend_tier:
            summary = f"Account {after.id} is now at spend tier {after.spend_tier}."
            facts: Facts = {"spendTier": after.spend_tier, "previousSpendTier": before.spend_tier}
            self._add(connection, after, EventKind.SPEND_TIER_CHANGED, summary, facts)
        self._tell_thresholds(connection, after, standing)
        self._tell_states(connection, after, standing)

    def _tell_thresholds(self, connection: Connection, account: Account, standing: Standing) -> None:
        month, limit, spent = BillingMonth(standing.month), standing.limit_nanodollars, standing.spent_nanodollars
        facts: Facts = {
            "month": str(month),
            "spentNanodollars": str(spent),
            "limitNanodollars": str(limit),
        }
        kind = EventKind.BUDGET_THRESHOLD
        notice = f"{month}/{NEAR_LIMIT_PERCENT}%/{limit}"
        near = limit > 0 and standing.used_percent >= NEAR_LIMIT_PERCENT
        if near and self._outbox.is_news(connection, account.id, notice):
            summary = f"Account {account.id} has used {standing.used_percent} % of what {month} may cost."
            self._add(connection, account, kind, summary, {**facts, "percent": NEAR_LIMIT_PERCENT})
        for amount in account.spend_thresholds:
            if spent >= amount and self._outbox.is_news(connection, account.id, f"{month}/at/{amount}"):
                summary = f"Account {account.id} has spent {format_dollars(amount)} dollars or more in {month}."
                self._add(connection, account, kind, summary, {**facts, "thresholdNanodollars": str(amount)})

    def _tell_states(self, connection: Connection, account: Account, standing: Standing) -> None:
        row = connection.execute(self._told_state, {"account": account.id}).fetchone()
        told_suspend, told_credit = row or (SuspendState.UNSUSPENDED, CreditState.NONE)
        set_by_operator = account.suspend_state is not SuspendState.UNSUSPENDED
        suspend = account.suspend_state if set_by_operator else standing.suspend_state
        credit = credit_state(standing)
        if (suspend, credit) == (told_suspend, told_credit):
            return
        values = {"account": account.id, "suspend_state": suspend, "credit_state": credit}
        connection.execute(self._tell_state, values)
        if suspend != told_suspend:
            suspended = suspend is not SuspendState.UNSUSPENDED
            self._add(
                connection,
                account,
                EventKind.ACCOUNT_SUSPENDED if suspended else EventKind.ACCOUNT_RESUMED,
                suspension_message(account.id, suspend) if suspended else f"Account {account.id} works again.",
                {"suspendState": suspend, "previousSuspendState": str(told_suspend)},
            )
        if credit != told_credit and credit in {CreditState.LOW, CreditState.DEPLETED}:
            depleted = credit is CreditState.DEPLETED
            words = "are used up" if depleted else "come to an end"
            self._add(
                connection,
                account,
                EventKind.CREDIT_DEPLETED if depleted else EventKind.CREDIT_LOW,
                f"The credits of account {account.id} {words}.",
                {"creditsLeftNanodollars": str(standing.credits_left_nanodollars), "prepaid": standing.prepaid},
            )

    def _add(self, connection: Connection, account: Account, kind: EventKind, summary: str, facts: Facts) -> None:
        self._outbox.add(
            connection, account.id, kind, summary, facts, emails=self._addresses.within(connection, account.id)
        )
