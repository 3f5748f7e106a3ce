"""Whether an account is served, and why not."""

from enum import StrEnum
from typing import Final


class SuspendState(StrEnum):
    """The reasons for which an account is not served. CREDIT_DEPLETED and MONTHLY_SPEND_LIMIT_EXCEEDED also follow
    from what was spent, and end when there is money again."""

    UNSUSPENDED = "UNSUSPENDED"
    FAILED_PAYMENTS = "FAILED_PAYMENTS"
    CREDIT_DEPLETED = "CREDIT_DEPLETED"
    MONTHLY_SPEND_LIMIT_EXCEEDED = "MONTHLY_SPEND_LIMIT_EXCEEDED"
    BLOCKED_BY_ABUSE_RULE = "BLOCKED_BY_ABUSE_RULE"


_REASONS: Final = {
    SuspendState.FAILED_PAYMENTS: "past invoices are not paid",
    SuspendState.CREDIT_DEPLETED: "its credits are used up: add credits",
    SuspendState.MONTHLY_SPEND_LIMIT_EXCEEDED: (
        "it has reached its monthly spending limit: raise the limit, add credits, or wait for the next month (UTC)"
    ),
    SuspendState.BLOCKED_BY_ABUSE_RULE: "the operator has blocked it",
}


def suspension_message(account: str, state: SuspendState) -> str:
    """What a suspended account is told; ``state`` is a reason."""
    return f"Account {account} is suspended: {_REASONS[state]}."
