"""How a charge stands in the books."""

from servery.billing.rating import Charge
from servery.core.serving_path import ServingPath
from servery.ledger.transfer import Transfer, TransferKind


def receivable_account(account: str) -> str:
    """The ledger account of what ``account`` owes."""
    return f"accounts/{account}"


def revenue_account(model: str, path: ServingPath) -> str:
    """The ledger account of what a model has earned on a serving path."""
    return f"revenue/{model}/{path}"


def charge_transfer(
    charge: Charge, *, request_id: str, account: str, model: str, path: ServingPath, created_ns: int
) -> Transfer:
    """The transfer of a charge, under the request's id."""
    return Transfer(
        id=request_id,
        debit_account=receivable_account(account),
        credit_account=revenue_account(model, path),
        nanodollars=charge.nanodollars,
        kind=TransferKind.USAGE,
        created_ns=created_ns,
    )
