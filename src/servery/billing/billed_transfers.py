"""Billed transfers: in which month each transfer is shown that is no serverless usage.

Usage has its month through the hourly sums. All else that touches what an account owes (GPU time, reversals, credits)
is rare, and gets its month one by one, in the order of posting: its own, or the first that is still open.
"""

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.closed_months import ClosedMonths
from servery.billing.ledger_names import account_of_receivable
from servery.ledger.transfer import TransferKind
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.store.watermark import Watermark


class BilledTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """``nanodollars`` more (less, when negative) that the account owes. ``reverses`` as in a transfer."""

    transfer_id: str
    account: str
    month: BillingMonth
    kind: TransferKind
    nanodollars: int
    created_ns: int
    reverses: str | None


class BilledTransfers:
    """Several processes may do this for one database; each transfer gets one month."""

    def __init__(self, database: Database) -> None:
        queries = load_queries("servery.billing", "billed_transfers.sql")
        self._await_writers = queries["await_transfer_writers"]
        self._last = queries["last_transfer"]
        self._after = queries["transfers_after"]
        self._insert = queries["insert_billed_transfer"]
        self._of_month = queries["billed_transfers_of_month"]
        self._database = database
        self._mark = Watermark("transfers")
        self._closed_months = ClosedMonths()

    async def assign(self) -> int:
        """Give a month to all that was posted before the call; returns how many numbers the mark moved on."""
        until = await self._database.read(self._horizon)

        def operation(connection: Connection) -> int:
            after = self._mark.read(connection)
            if after >= until or not self._mark.move(connection, after=after, to=until):
                return 0
            first_open = self._closed_months.first_open(connection)
            for row in connection.execute(self._after, {"after": after, "until": until}).fetchall():
                for values in _billed(row, first_open):
                    connection.execute(self._insert, values)
            return until - after

        return await self._database.write(operation)

    def of_month(self, connection: Connection, account: str, month: BillingMonth) -> list[BilledTransfer]:
        """What is shown to the account in that month, in the order of posting."""
        rows = connection.execute(self._of_month, {"account": account, "month": month.number}).fetchall()
        return [_billed_transfer(account, month, row) for row in rows]

    def _horizon(self, connection: Connection) -> int:
        connection.execute(self._await_writers)
        (last,) = connection.execute(self._last).fetchone()
        return int(last)


def _billed(row: tuple[str, str, str, int], first_open: BillingMonth) -> list[dict[str, str | int]]:
    transfer_id, debit_account, credit_account, created_ns = row
    month = max(BillingMonth.of(created_ns), first_open).number
    accounts = {account_of_receivable(debit_account), account_of_receivable(credit_account)} - {None}
    return [
        {"transfer_id": transfer_id, "account": account, "billing_month": month}
        for account in sorted(account for account in accounts if account is not None)
    ]


def _billed_transfer(
    account: str, month: BillingMonth, row: tuple[str, str, int, str, int, str | None]
) -> BilledTransfer:
    transfer_id, debit_account, nanodollars, kind, created_ns, reverses = row
    return BilledTransfer(
        transfer_id=transfer_id,
        account=account,
        month=month,
        kind=TransferKind(kind),
        nanodollars=nanodollars if account_of_receivable(debit_account) == account else -nanodollars,
        created_ns=created_ns,
        reverses=reverses,
    )
