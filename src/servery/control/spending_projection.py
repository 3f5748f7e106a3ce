"""What accounts have spent month by month, found again from the transfers alone.

charged        usage records and GPU time, in the month in which they count
credit used    what credits paid for them, less what came back when a charge was reversed
credit added   credits that were given, less those that were reversed, in the month of doing so
reversed       charges that were reversed, less reversals that were, in the month of the charge
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.ledger_names import account_of_credit, account_of_receivable
from servery.ledger.ledger import transfer_of_row
from servery.ledger.transfer import Transfer, TransferKind
from servery.store.connection import Connection
from servery.store.sql import Query, load_queries

_HOUR_NS = 3_600_000_000_000
_RETURNED = "credit_return/"

SpendingPlace = tuple[str, BillingMonth]
"""An account and a month."""

ChargedHour = tuple[str, int, int]
"""An account, an hour (since 1970) and the nano-dollars that were charged for usage in it."""


class SpendingSums(msgspec.Struct):
    """A row of ``spending_months``, all of its writers together; nano-dollars."""

    charged: int = 0
    credit_used: int = 0
    credit_added: int = 0
    reversed: int = 0

    def less(self, other: "SpendingSums") -> "SpendingSums":
        """The differences."""
        return SpendingSums(
            self.charged - other.charged,
            self.credit_used - other.credit_used,
            self.credit_added - other.credit_added,
            self.reversed - other.reversed,
        )


class SpendingProjection:
    """Adds up, over a connection that sees one state. What contradicts itself (a reversal of nothing) is left out: the
    examination of transfers tells of it."""

    def __init__(self, connection: Connection, *, without: frozenset[str] = frozenset()) -> None:
        """``without``: the ids of transfers of which no sense can be made."""
        self._connection = connection
        self._without = without
        self._sql: Mapping[str, Query] = load_queries("servery.control", "spending_projection.sql")
        self._sums: dict[SpendingPlace, SpendingSums] = {}
        self._months: dict[int, BillingMonth] = {}

    def charged_hours(self) -> Iterable[ChargedHour]:
        """What was charged for usage. Reads all usage records."""
        return [(account, hour, int(sum_)) for account, hour, sum_ in self._rows("charged_by_hour")]

    def from_transfers(self, charged: Iterable[ChargedHour]) -> dict[SpendingPlace, SpendingSums]:
        """What ought to be kept, given what was charged for usage. To be called once."""
        for account, hour, nanodollars in charged:
            self._at(account, hour).charged += nanodollars
        for ledger_account, hour, nanodollars in self._rows("gpu_charged_by_hour"):
            self._at(account_of_receivable(ledger_account), hour).charged += int(nanodollars)
        for ledger_account, hour, nanodollars in self._rows("credit_used_by_hour"):
            self._at(account_of_credit(ledger_account), hour).credit_used += int(nanodollars)
        transfers = self._transfers("credits_and_corrections")
        known = {transfer.id: transfer for transfer in [*transfers, *self._transfers("reversed_transfers")]}
        for transfer in transfers:
            self._take(transfer, known)
        return self._sums

    def kept(self) -> dict[SpendingPlace, SpendingSums]:
        """What is kept."""
        return {
            (account, BillingMonth(month)): SpendingSums(*map(int, sums))
            for account, month, *sums in self._rows("spending_by_month")
        }

    def _take(self, transfer: Transfer, known: Mapping[str, Transfer]) -> None:
        match transfer.kind:
            case TransferKind.CREDIT:
                account, hour = account_of_credit(transfer.credit_account), _hour(transfer)
                self._at(account, hour).credit_added += transfer.nanodollars
            case TransferKind.CREDIT_RETURN:
                reversal = known.get(transfer.id.removeprefix(_RETURNED))
                if reversal is not None:
                    first, _ = _first(reversal, known)
                    account = account_of_credit(transfer.credit_account)
                    self._at(account, _hour(first)).credit_used -= transfer.nanodollars
            case TransferKind.REVERSAL:
                self._take_reversal(transfer, known)
            case _:
                raise AssertionError("the query names the kinds")

    def _take_reversal(self, reversal: Transfer, known: Mapping[str, Transfer]) -> None:
        first, sign = _first(reversal, known)
        if first.kind in {TransferKind.USAGE, TransferKind.GPU_TIME}:
            self._at(account_of_receivable(first.debit_account), _hour(first)).reversed += sign * first.nanodollars
        elif first.kind is TransferKind.CREDIT:
            self._at(account_of_credit(first.credit_account), _hour(reversal)).credit_added -= sign * first.nanodollars

    def _at(self, account: str | None, hour: int) -> SpendingSums:
        month = self._months.get(hour)
        if month is None:
            month = self._months[hour] = BillingMonth.of(hour * _HOUR_NS)
        return self._sums.setdefault((account or "", month), SpendingSums())

    def _transfers(self, name: str) -> list[Transfer]:
        return [transfer_of_row(row) for row in self._rows(name) if row[0] not in self._without]

    def _rows(self, name: str) -> list[Any]:
        return self._connection.execute(self._sql[name]).fetchall()


def _hour(transfer: Transfer) -> int:
    return transfer.created_ns // _HOUR_NS


def _first(reversal: Transfer, known: Mapping[str, Transfer]) -> tuple[Transfer, int]:
    """The transfer at the beginning of a chain of reversals, and whether it is undone (1) or stands again (-1). A chain
    that leads nowhere ends with what is known of it."""
    first, sign, seen = reversal, -1, {reversal.id}
    while first.reverses is not None and first.reverses in known and first.reverses not in seen:
        first, sign = known[first.reverses], -sign
        seen.add(first.id)
    return first, sign
