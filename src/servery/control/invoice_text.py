"""An invoice as text: CSV for programs, and a page for people that prints well."""

import csv
import io
from datetime import UTC, datetime
from html import escape
from importlib import resources
from string import Template
from typing import Final

from servery.billing.invoice import Invoice, InvoiceLine, InvoiceState, LineKind, TokenKind
from servery.core.money import format_dollars, format_picodollars, format_price
from servery.ledger.transfer import TransferKind

CSV_COLUMNS: Final = (
    *("invoice", "account", "month", "state", "position", "kind", "subject", "detail", "serving_path", "token_kind"),
    *("price_id", "quantity", "usd_per_million", "amount_usd"),
)
_NOT_ISSUED: Final = "Not yet: the month is open"
_DECIMALS: Final = 9
_SECONDS_PER_HOUR: Final = 3_600
_TOKEN_WORDS: Final = {
    TokenKind.UNCACHED_PROMPT: "Prompt tokens",
    TokenKind.CACHED_PROMPT: "Cached prompt tokens",
    TokenKind.GENERATED: "Generated tokens",
}
_CREDIT_WORDS: Final = {
    TransferKind.CREDIT_USE.value: "Credits used",
    TransferKind.CREDIT_RETURN.value: "Credits given back",
}
_SECTIONS: Final = (
    ("Serverless inference", (LineKind.TOKENS, LineKind.ROUNDING)),
    ("Dedicated deployments", (LineKind.GPU_TIME,)),
    ("Adjustments", (LineKind.ADJUSTMENT,)),
    ("Credits", (LineKind.CREDIT,)),
)


def invoice_name(invoice: Invoice) -> str:
    """Its number as people write it, or that it is a draft."""
    return "draft" if invoice.number is None else f"INV-{invoice.number:06d}"


def invoice_csv(invoice: Invoice) -> str:
    """A line for each of the invoice's, amounts with all twelve decimals, so that they sum to the total exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for position, line in enumerate(invoice.lines, start=1):
        unit = "" if line.kind is not LineKind.TOKENS else format_price(line.unit_picodollars or 0)
        head = (invoice_name(invoice), invoice.account, invoice.month, invoice.state.value, position, line.kind.value)
        facts = (line.subject, line.detail, line.serving_path, line.token_kind, line.price_id, line.quantity, unit)
        writer.writerow(
            (*head, *("" if fact is None else fact for fact in facts), format_picodollars(line.picodollars))
        )
    return text.getvalue()


def invoice_page(invoice: Invoice) -> str:
    """One HTML document, with its styles in it, that asks for nothing else."""
    page = Template(resources.files("servery.control").joinpath("invoice_page.html").read_text(encoding="utf-8"))
    first, last = invoice.month.first_day, invoice.month.next.first_day
    period = f"{first:%-d %B %Y} to before {last:%-d %B %Y}, UTC"
    return page.substitute(
        title=escape(f"{invoice_name(invoice)} {invoice.account} {invoice.month}"),
        heading="Draft invoice" if invoice.state is InvoiceState.DRAFT else f"Invoice {invoice_name(invoice)}",
        account=escape(invoice.account),
        month=f"{first:%B %Y}",
        period=period,
        issued="Not issued: the month is open, and this grows"
        if invoice.issued_ns is None
        else _day(invoice.issued_ns),
        total=_dollars(format_dollars(invoice.total_nanodollars)),
        sections="\n".join(_section(title, invoice.of_kind(*kinds)) for title, kinds in _SECTIONS),
    )


def _section(title: str, lines: tuple[InvoiceLine, ...]) -> str:
    if not lines:
        return ""
    rows = []
    place: tuple[str, str] | None = None
    for line in lines:
        if line.kind in {LineKind.TOKENS, LineKind.GPU_TIME} and (line.subject, _path(line)) != place:
            place = (line.subject, _path(line))
            path = f' <span class="path">{escape(place[1])}</span>' if place[1] else ""
            rows.append(f'<tr class="group"><th colspan="4" scope="rowgroup">{escape(place[0])}{path}</th></tr>')
        rows.append(_row(line))
    subtotal = _dollars(format_picodollars(sum(line.picodollars for line in lines)))
    return (
        f'<section><h2>{title}</h2><table><colgroup><col><col class="q"><col class="u"><col class="a"></colgroup>'
        '<thead><tr><th scope="col">Item</th><th scope="col" class="n">Quantity</th>'
        '<th scope="col" class="n">Unit price</th><th scope="col" class="n">Amount, USD</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody>"
        f'<tfoot><tr><th colspan="3" scope="row">{title}, together</th><td class="n">{subtotal}</td></tr></tfoot>'
        "</table></section>"
    )


def _path(line: InvoiceLine) -> str:
    return line.detail if line.serving_path is None else line.serving_path.value.capitalize()


def _row(line: InvoiceLine) -> str:
    item, quantity, unit = _item(line)
    cells = f'<td>{item}</td><td class="n">{quantity}</td><td class="n">{unit}</td>'
    if not quantity and not unit:
        cells = f'<td colspan="3">{item}</td>'
    return f'<tr>{cells}<td class="n">{_dollars(format_picodollars(line.picodollars))}</td></tr>'


def _item(line: InvoiceLine) -> tuple[str, str, str]:
    """What it is, how much of it, and what one costs."""
    if line.kind is LineKind.TOKENS:
        assert line.token_kind is not None, "tokens are of a kind"
        price = f"${format_price(line.unit_picodollars or 0)} per million"
        return _TOKEN_WORDS[line.token_kind], f"{line.quantity:,}", price
    if line.kind is LineKind.GPU_TIME:
        hours, seconds = divmod(line.quantity, _SECONDS_PER_HOUR)
        return "Accelerator time", f"{hours:,} h {seconds // 60:02d} min {seconds % 60:02d} s", "by the second"
    if line.kind is LineKind.ROUNDING:
        return "Rounding of each request", "", "to nano-dollars"
    if line.kind is LineKind.ADJUSTMENT:
        return f"Reversal of <code>{escape(line.detail)}</code>", "", ""
    word = _CREDIT_WORDS.get(line.detail, line.detail.capitalize())
    return f"{escape(word)} <code>{escape(line.subject)}</code>" if line.subject else escape(word), "", ""


def _dollars(text: str) -> str:
    """An amount of which the cents are seen first and no decimal is lost."""
    sign, digits = ("&minus;", text[1:]) if text.startswith("-") else ("", text)
    whole, _, decimals = digits.partition(".")
    if len(decimals) > _DECIMALS and not decimals[_DECIMALS:].strip("0"):
        decimals = decimals[:_DECIMALS]  # what was not rounded shows more only where there is more
    return f'{sign}{int(whole):,}.{decimals[:2]}<span class="rest">{decimals[2:]}</span>'


def _day(wall_ns: int) -> str:
    return f"{datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC):%-d %B %Y}"
