"""Billed transfers: in which month each transfer is shown that is no serverless usage.

Usage has its month through the hourly sums. All else that touches what an account owes (GPU time, reversals, credits)
gets its month in the order of posting: its own, or the first that is still open. Of credits that are used, which
happens with every few charges, only the sum of a month is kept; all others are rare, and are kept one by one.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.closed_months import ClosedMonths
from servery.billing.ledger_names import account_of_receivable
from servery.ledger.ledger import transfer_of_row
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.store.watermark import Watermark

SUMMED: Final = frozenset({TransferKind.CREDIT_USE})
"""The kinds of which only the sum of a month is kept."""

_STEP_TRANSFERS: Final = 2_000


class BilledTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """``nanodollars`` more (less, when negative) that the account owes. ``reverses`` as in a transfer. A sum of several
    has no id."""

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
        self._insert = BulkInsert(queries["insert_billed_transfers"])
        self._add = queries["add_to_billed_sum"]
        self._sums_of_month = queries["billed_sums_of_month"]
        self._of_month = queries["billed_transfers_of_month"]
        self._database = database
        self._mark = Watermark("transfers")
        self._closed_months = ClosedMonths()

    async def assign(self) -> int:
        """Give a month to all that was posted before the call; returns how many numbers the mark moved on."""
        until = await self._database.read(self._horizon)
        moved = 0
        while step := await self._database.write(lambda connection: self._assign(connection, until)):
            moved += step
        return moved

    def _assign(self, connection: Connection, until: int) -> int:
        """One step: few enough to hold up nobody who is posting."""
        after = self._mark.read(connection)
        end = min(until, after + _STEP_TRANSFERS)
        if after >= end or not self._mark.move(connection, after=after, to=end):
            return 0
        first_open = self._closed_months.first_open(connection)
        sums: dict[tuple[str, int, TransferKind], int] = {}
        others: list[tuple[str, str, int]] = []
        for row in connection.execute(self._after, {"after": after, "until": end}).fetchall():
            for each in billed(transfer_of_row(tuple(row)), first_open):
                place = (each.account, each.month.number)
                if each.kind in SUMMED:
                    sums[*place, each.kind] = sums.get((*place, each.kind), 0) + each.nanodollars
                else:
                    others.append((each.transfer_id, *place))
        self._insert.run(connection, others)
        connection.executemany(
            self._add,
            [
                {"account": account, "billing_month": month, "kind": kind, "nanodollars": nanodollars}
                for (account, month, kind), nanodollars in sums.items()
            ],
        )
        return end - after

    def of_month(self, connection: Connection, account: str, month: BillingMonth) -> list[BilledTransfer]:
        """What is shown to the account in that month, in the order of posting; sums last."""
        values = {"account": account, "month": month.number}
        rows = connection.execute(self._of_month, values).fetchall()
        sums = connection.execute(self._sums_of_month, values).fetchall()
        return [_billed_transfer(account, month, row) for row in rows] + [
            summed(account, month, TransferKind(kind), nanodollars) for kind, nanodollars in sums
        ]

    def _horizon(self, connection: Connection) -> int:
        connection.execute(self._await_writers)
        (last,) = connection.execute(self._last).fetchone()
        return int(last)


def billed(transfer: Transfer, first_open: BillingMonth) -> Iterator[BilledTransfer]:
    """What a transfer is to the accounts whose debt it touches, in its own month or the first that is open."""
    month = max(BillingMonth.of(transfer.created_ns), first_open)
    for ledger_account, sign in ((transfer.debit_account, 1), (transfer.credit_account, -1)):
        account = account_of_receivable(ledger_account)
        if account is not None:
            yield BilledTransfer(
                transfer_id=transfer.id,
                account=account,
                month=month,
                kind=transfer.kind,
                nanodollars=sign * transfer.nanodollars,
                created_ns=transfer.created_ns,
                reverses=transfer.reverses,
            )


def summed(account: str, month: BillingMonth, kind: TransferKind, nanodollars: int) -> BilledTransfer:
    """The sum of a month's transfers of one kind."""
    return BilledTransfer(
        transfer_id="",
        account=account,
        month=month,
        kind=kind,
        nanodollars=nanodollars,
        created_ns=month.start_ns,
        reverses=None,
    )


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
