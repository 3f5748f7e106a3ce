"""The names by which charges stand in the books. The database's triggers and its view ``transfers`` use the same."""

from servery.core.serving_path import ServingPath

_RECEIVABLE = "accounts/"


def receivable_account(account: str) -> str:
    """The ledger account of what ``account`` owes."""
    return f"{_RECEIVABLE}{account}"


def account_of_receivable(ledger_account: str) -> str | None:
    """The account whose debt is kept there; None for a ledger account of another kind."""
    return ledger_account.removeprefix(_RECEIVABLE) if ledger_account.startswith(_RECEIVABLE) else None


def revenue_account(model: str, path: ServingPath) -> str:
    """The ledger account of what a model has earned on a serving path."""
    return f"revenue/{model}/{path}"


def credit_account(account: str) -> str:
    """The ledger account of what is held for ``account``, paid in advance or given: a liability."""
    return f"credits/{account}"


GRANTS: str = "grants"
"""The ledger account of credits that were given to accounts, or sold outside of these books."""
