"""``/v1/accounts/{account}/invoices``: what an account owes, month by month."""

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from servery.billing.billing_month import BillingMonth
from servery.billing.invoice import Invoice, InvoiceLine, InvoiceState
from servery.control.invoice_text import invoice_csv, invoice_name, invoice_page
from servery.control.invoicing import Invoicing
from servery.core.caller import Caller
from servery.core.clock import Clock, rfc3339
from servery.core.errors import InvalidRequest
from servery.core.money import format_picodollars
from servery.store.database import Database
from servery.web.control.access import account_of
from servery.web.control.body import body_of
from servery.web.control.listing import Listing
from servery.web.control.money import Money, money


class InvoiceFormat(StrEnum):
    """The forms in which an invoice is given."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


class LineResource(msgspec.Struct, rename="camel", omit_defaults=True):
    """A line; absent is what it does not have. ``amount_usd`` has twelve decimals, so that lines sum to the total."""

    kind: str
    quantity: str
    amount_usd: str
    subject: str = ""
    detail: str = ""
    serving_path: str = ""
    token_kind: str = ""
    price_id: str = ""


class InvoiceResource(msgspec.Struct, rename="camel"):
    """An invoice as it is shown; ``number`` and ``issue_time`` once it is final, ``lines`` only of a single one."""

    name: str
    month: str
    state: InvoiceState
    total: Money
    number: str | UnsetType = UNSET
    issue_time: str | UnsetType = UNSET
    lines: list[LineResource] | UnsetType = UNSET


class ClosingBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``POST /v1/invoices:close``."""

    month: str


class Closed(msgspec.Struct, rename="camel"):
    """How many invoices were issued."""

    month: str
    issued: int


class InvoiceEndpoints:
    """Handlers for invoices."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._invoicing = Invoicing(database, clock)

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """Latest month first; that of the running month is a draft."""
        seen = await self._invoicing.of_account(account_of(request, caller))
        return Listing(request, InvoiceResource).response("invoices", seen, _shown)

    async def get(self, request: Request, caller: Caller) -> msgspec.Struct | Response:
        """As JSON, or as ``?format=`` says: CSV, or a page to print."""
        account = account_of(request, caller)
        form = request.query_params.get("format", InvoiceFormat.JSON.value)
        if form not in set(InvoiceFormat):
            raise InvalidRequest(f"format is one of {', '.join(InvoiceFormat)}, not {form!r}", param="format")
        invoice = await self._invoicing.get(account, _month(request.path_params["month"]))
        if form == InvoiceFormat.CSV:
            name = f"{invoice_name(invoice)}-{account}-{invoice.month}.csv"
            headers = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(invoice_csv(invoice), headers=headers, media_type="text/csv; charset=utf-8")
        if form == InvoiceFormat.HTML:
            headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
            return Response(invoice_page(invoice), headers=headers, media_type="text/html; charset=utf-8")
        lines = [_line(line) for line in invoice.lines]
        return msgspec.structs.replace(_shown(invoice), lines=lines)

    async def close(self, request: Request, _caller: Caller) -> Closed:
        """Close a month that is over, for all accounts, now."""
        month = _month((await body_of(request, ClosingBody)).month)
        return Closed(str(month), await self._invoicing.close(month))


def _month(text: str) -> BillingMonth:
    try:
        return BillingMonth.parse(text)
    except ValueError as error:
        raise InvalidRequest(str(error), param="month") from error


def _shown(invoice: Invoice) -> InvoiceResource:
    return InvoiceResource(
        name=f"accounts/{invoice.account}/invoices/{invoice.month}",
        month=str(invoice.month),
        state=invoice.state,
        total=money(invoice.total_nanodollars),
        number=UNSET if invoice.number is None else invoice_name(invoice),
        issue_time=UNSET if invoice.issued_ns is None else rfc3339(invoice.issued_ns),
    )


def _line(line: InvoiceLine) -> LineResource:
    return LineResource(
        kind=line.kind.value,
        quantity=str(line.quantity),
        amount_usd=format_picodollars(line.picodollars),
        subject=line.subject,
        detail=line.detail,
        serving_path=line.serving_path or "",
        token_kind=line.token_kind or "",
        price_id=line.price_id or "",
    )
