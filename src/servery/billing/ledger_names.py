"""The names by which charges stand in the books. The database's triggers, its view ``transfers`` and
``metering/usage_balances.sql`` use the same."""

_RECEIVABLE = "accounts/"
_CREDITS = "credits/"


def receivable_account(account: str) -> str:
    """The ledger account of what ``account`` owes."""
    return f"{_RECEIVABLE}{account}"


def account_of_receivable(ledger_account: str) -> str | None:
    """The account whose debt is kept there; None for a ledger account of another kind."""
    return ledger_account.removeprefix(_RECEIVABLE) if ledger_account.startswith(_RECEIVABLE) else None


def revenue_account(model: str, path: str) -> str:
    """The ledger account of what a model has earned on a serving path, which is named by its value."""
    return f"revenue/{model}/{path}"


def credit_account(account: str) -> str:
    """The ledger account of what is held for ``account``, paid in advance or given: a liability."""
    return f"{_CREDITS}{account}"


def account_of_credit(ledger_account: str) -> str | None:
    """The account whose credits are kept there; None for a ledger account of another kind."""
    return ledger_account.removeprefix(_CREDITS) if ledger_account.startswith(_CREDITS) else None


GRANTS: str = "grants"
"""The ledger account of credits that were given to accounts, or sold outside of these books."""
