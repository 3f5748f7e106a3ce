"""The names by which charges stand in the books. The database's triggers and its view ``transfers`` use the same."""

from servery.core.serving_path import ServingPath


def receivable_account(account: str) -> str:
    """The ledger account of what ``account`` owes."""
    return f"accounts/{account}"


def revenue_account(model: str, path: ServingPath) -> str:
    """The ledger account of what a model has earned on a serving path."""
    return f"revenue/{model}/{path}"
