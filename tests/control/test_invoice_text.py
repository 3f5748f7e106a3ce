"""An invoice as CSV, as a page, and as the page's print."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from servery.billing.billed_transfers import BilledTransfer
from servery.billing.billing_month import BillingMonth
from servery.billing.gpu_report import GpuSums
from servery.billing.invoice import Invoice, ModelUsage, invoice_lines
from servery.control.invoice_text import invoice_csv, invoice_page
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.ledger.transfer import TransferKind

MONTH = BillingMonth.parse("2026-10")
USAGE = ModelUsage(
    model="accounts/servery/models/<b>demo</b>",
    serving_path=ServingPath.STANDARD,
    price_id="price_1",
    uncached_prompt_tokens=184_220_931,
    cached_prompt_tokens=902_118_400,
    generated_tokens=41_882_019,
    nanodollars=80_280_820_701,
)
GPU = GpuSums("acme", "accounts/acme/deployments/search", "h100", "g1", 93_784, 208_408_888_889)
REVERSAL = BilledTransfer(
    transfer_id="reversal/chatcmpl-1",
    account="acme",
    month=MONTH,
    kind=TransferKind.REVERSAL,
    nanodollars=-1_284_000_011,
    created_ns=0,
    reverses="chatcmpl-1",
)


@pytest.fixture
def invoice() -> Invoice:
    prices = {"price_1": Price(100_000, 50_000, 400_000)}
    lines = invoice_lines([USAGE], prices, gpu=[GPU], transfers=[REVERSAL])
    return Invoice(account="acme", month=MONTH, lines=lines, number=42, issued_ns=MONTH.end_ns)


def shown(page: str) -> str:
    """The words of a page, without its marks."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())


def test_a_page_says_all_that_is_owed(invoice: Invoice) -> None:
    """Every line with quantity, price and amount, the sections' sums, and the total; names cannot become marks."""
    text = shown(invoice_page(invoice))
    for words in (
        "Invoice INV-000042 October 2026",
        "&lt;b&gt;demo&lt;/b&gt; Standard",
        "Prompt tokens 184,220,931 $0.10 per million 18.42 2093100",
        "Cached prompt tokens 902,118,400 $0.05 per million 45.10 5920000",
        "Accelerator time 26 h 03 min 04 s by the second 208.40 8888889",
        "Reversal of chatcmpl-1 &minus;1.28 4000011",
        "Rounding of each request",
        "Total, USD",
    ):
        assert words in text


def test_a_page_has_no_more_than_it_needs(invoice: Invoice) -> None:
    """No section without lines, and nothing from elsewhere."""
    page = invoice_page(Invoice(account="acme", month=MONTH, lines=invoice.lines[:3]))
    assert "Draft invoice" in page
    assert "Dedicated" not in page
    assert not re.search(r"https?:|<script|<link|<img|url\(", page)


def test_csv_names_every_fact(invoice: Invoice) -> None:
    """One line for each of the invoice's."""
    lines = invoice_csv(invoice).splitlines()
    assert len(lines) == 1 + len(invoice.lines)
    assert lines[1].startswith("INV-000042,acme,2026-10,final,1,tokens,accounts/servery/models/")
    assert lines[1].endswith(",standard,uncached_prompt,price_1,184220931,0.10,18.422093100000")


def test_the_page_prints(invoice: Invoice, tmp_path: Path) -> None:
    """A browser makes a PDF of it, on one sheet."""
    browser = shutil.which("chromium")
    if browser is None:
        assert os.environ.get("CI") != "true", "where everything is tested, there is a browser"
        pytest.skip("there is no Chromium on this machine")
    page, pdf = tmp_path / "invoice.html", tmp_path / "invoice.pdf"
    page.write_text(invoice_page(invoice), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    subprocess.run(
        [browser, *options, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=180,
    )
    printed = pdf.read_bytes()
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
