"""Invoices that are final: kept with their lines, numbered without gaps, never changed."""

from collections.abc import Sequence

import msgspec

from servery.billing.billing_month import BillingMonth
from servery.billing.invoice import Invoice, InvoiceLine, LineKind, TokenKind
from servery.core.serving_path import ServingPath
from servery.store.bulk_insert import BulkInsert
from servery.store.connection import Connection
from servery.store.sql import load_queries


class KeptInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a final invoice: ``lines`` are None where they make no sense."""

    number: int
    account: str
    month: BillingMonth
    total_nanodollars: int
    lines: tuple[InvoiceLine, ...] | None


class Invoices:
    """Methods run inside the transaction of whoever calls them."""

    def __init__(self) -> None:
        queries = load_queries("servery.billing", "invoices.sql")
        self._last_number = queries["last_invoice_number"]
        self._insert = BulkInsert(queries["insert_invoices"])
        self._insert_lines = BulkInsert(queries["insert_invoice_lines"])
        self._of_account = queries["invoices_of_account"]
        self._all = queries["all_invoices"]
        self._lines = queries["lines_of_invoice"]
        self._to_issue = queries["accounts_to_issue"]

    def find(self, connection: Connection, account: str, month: BillingMonth) -> Invoice | None:
        """The account's final invoice of that month, if there is one."""
        return next((each for each in self.of_account(connection, account) if each.month == month), None)

    def of_account(self, connection: Connection, account: str) -> list[Invoice]:
        """The account's final invoices, latest month first."""
        rows = connection.execute(self._of_account, {"account": account}).fetchall()
        return [self._whole(connection, row) for row in rows]

    def all(self, connection: Connection) -> list[KeptInvoice]:
        """All final invoices by number, whatever their lines say."""
        return [
            KeptInvoice(
                number=number,
                account=account,
                month=BillingMonth(month),
                total_nanodollars=total,
                lines=self._lines_as_kept(connection, number),
            )
            for number, account, month, _issued_ns, total in connection.execute(self._all).fetchall()
        ]

    def accounts_to_issue(self, connection: Connection, month: BillingMonth) -> list[str]:
        """The accounts that have something in that closed month and no invoice of it yet."""
        return [row[0] for row in connection.execute(self._to_issue, {"month": month.number}).fetchall()]

    def issue(self, connection: Connection, invoices: Sequence[Invoice], *, issued_ns: int) -> None:
        """Number and keep the invoices. The caller has seen to it that nobody else does so at the same time, and that
        none of them is there."""
        (last,) = connection.execute(self._last_number).fetchone()
        numbered = list(enumerate(invoices, start=int(last) + 1))
        rows = [(number, one.account, one.month.number, issued_ns, one.total_nanodollars) for number, one in numbered]
        self._insert.run(connection, rows)
        lines = [
            (number, position, *msgspec.structs.astuple(line))
            for number, invoice in numbered
            for position, line in enumerate(invoice.lines, start=1)
        ]
        self._insert_lines.run(connection, lines)

    def _lines_as_kept(self, connection: Connection, number: int) -> tuple[InvoiceLine, ...] | None:
        rows = connection.execute(self._lines, {"invoice": number}).fetchall()
        try:
            return tuple(_line(row) for row in rows)
        except ValueError:
            return None

    def _whole(self, connection: Connection, row: tuple[int, str, int, int, int]) -> Invoice:
        number, account, month, issued_ns, _total = row
        lines = connection.execute(self._lines, {"invoice": number}).fetchall()
        return Invoice(
            account=account,
            month=BillingMonth(month),
            lines=tuple(_line(line) for line in lines),
            number=number,
            issued_ns=issued_ns,
        )


def _line(
    row: tuple[str, str, str, str | None, str | None, str | None, int, int | None, int | None],
) -> InvoiceLine:
    kind, subject, detail, serving_path, token_kind, price_id, quantity, unit_picodollars, nanodollars = row
    return InvoiceLine(
        kind=LineKind(kind),
        subject=subject,
        detail=detail,
        serving_path=None if serving_path is None else ServingPath(serving_path),
        token_kind=None if token_kind is None else TokenKind(token_kind),
        price_id=price_id,
        quantity=quantity,
        unit_picodollars=unit_picodollars,
        nanodollars=nanodollars,
    )
