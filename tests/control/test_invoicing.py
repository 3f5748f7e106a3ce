"""Invoices: drafts, closed months, what comes late, and that every contradiction is found."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servery.billing.billing_month import BillingMonth
from servery.billing.gpu_posting import GpuPosting
from servery.billing.gpu_prices import GpuPrices
from servery.billing.gpu_time import GpuInterval, GpuRun
from servery.billing.invoice import InvoiceState, LineKind, TokenKind
from servery.billing.price_versions import PriceVersions
from servery.billing.rating import rate
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.books_report import FindingKind
from servery.control.invoice_text import invoice_page
from servery.control.invoicing import Invoicing
from servery.control.open_account import open_account
from servery.control.rebuild_projections import ProjectionRebuild
from servery.control.reverse_transfer import TransferReversal
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import NotFound, PreconditionFailed
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.ledger.ledger import Ledger
from servery.ledger.transfer import Transfer, TransferKind
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.store.database import Database

MODEL = "accounts/servery/models/m"
PRICE = Price(950_001, 475_003, 4_000_007)  # so that each charge is rounded
BATCH_PRICE = Price(400_000, 200_000, 2_000_000)
USAGE = Usage(prompt_tokens=1_000, cached_prompt_tokens=100, generated_tokens=37)
OCTOBER, NOVEMBER, DECEMBER = (BillingMonth.parse(f"2026-{month}") for month in (10, 11, 12))
HOUR_S = 3_600


class Books:
    """A database whose requests end in whichever month is wanted."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.invoicing = Invoicing(database, clock)
        self.posted = 0

    async def use(
        self, month: BillingMonth, *, account: str = "a", path: ServingPath = ServingPath.STANDARD, usage: Usage = USAGE
    ) -> int:
        """Post a request that finished in the middle of ``month``; returns its charge."""
        self.posted += 1
        price = BATCH_PRICE if path is ServingPath.BATCH else PRICE
        moment_ns = month.start_ns + 10**15
        record = UsageRecord(
            request_id=f"r{self.posted}",
            account=account,
            key_id="key_1",
            model=MODEL,
            serving_path=path,
            price_id=await PriceVersions(self.database, self.clock).record(MODEL, path, price),
            usage=usage,
            outcome=Outcome.COMPLETED,
            started_ns=moment_ns,
            finished_ns=moment_ns,
            replica="replica-1",
            queue_wait_us=0,
        )
        return (await Meter(self.database, self.clock).post(record, price)).nanodollars

    async def use_gpu(self, month: BillingMonth, *, seconds: int = 90) -> None:
        run = GpuRun(
            id=f"run-{month}",
            account="a",
            deployment="accounts/a/deployments/d",
            accelerator_type="h100",
            accelerators=2,
            started_ns=month.start_ns + 5,
        )
        price = await GpuPrices(self.database, self.clock).record("h100", 8_000_000)
        intervals = [GpuInterval(start, min(start + 60, seconds)) for start in range(0, seconds, 60)]
        posting = GpuPosting(self.database, self.clock)
        await posting.post(run, intervals, price)
        await posting.post(run, intervals, price)

    async def total(self, month: BillingMonth, account: str = "a") -> int:
        return (await self.invoicing.get(account, month)).total_nanodollars


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ns=int(datetime(2026, 12, 20, tzinfo=UTC).timestamp()) * 10**9)


@pytest.fixture
async def books(database: Database, clock: ManualClock) -> Books:
    return Books(database, clock)


@pytest.fixture
async def books_in_a_file(path: Path, clock: ManualClock) -> AsyncIterator[Books]:
    """For those who spoil them by hand."""
    async with Database.open(path) as database:
        yield Books(database, clock)


async def test_a_line_for_each_model_path_and_kind_of_token(books: Books) -> None:
    """Quantities times unit prices, and the rounding of each request, come to exactly what was charged."""
    charged = [await books.use(DECEMBER) for _ in range(3)] + [await books.use(DECEMBER, path=ServingPath.BATCH)]
    invoice = await books.invoicing.get("a", DECEMBER)
    assert invoice.state is InvoiceState.DRAFT
    shown = [(line.serving_path, line.token_kind, line.quantity, line.unit_picodollars) for line in invoice.lines]
    assert shown == [
        (ServingPath.STANDARD, TokenKind.UNCACHED_PROMPT, 2_700, 950_001),
        (ServingPath.STANDARD, TokenKind.CACHED_PROMPT, 300, 475_003),
        (ServingPath.STANDARD, TokenKind.GENERATED, 111, 4_000_007),
        (ServingPath.BATCH, TokenKind.UNCACHED_PROMPT, 900, 400_000),
        (ServingPath.BATCH, TokenKind.CACHED_PROMPT, 100, 200_000),
        (ServingPath.BATCH, TokenKind.GENERATED, 37, 2_000_000),
        (None, None, 1, 3 * (rate(USAGE, PRICE).nanodollars * 1_000 - rate(USAGE, PRICE).picodollars)),
    ]
    assert invoice.lines[-1].kind is LineKind.ROUNDING
    assert invoice.total_nanodollars == sum(charged)


async def test_batch_costs_half_of_standard_exactly(books: Books) -> None:
    """On every dimension, when its price is half."""
    half = await books.use(DECEMBER, path=ServingPath.BATCH)
    assert 2 * half == rate(USAGE, Price(800_000, 400_000, 4_000_000)).nanodollars


async def test_a_draft_is_exact_whatever_is_in_the_sums(books: Books) -> None:
    """Before, between and after the background's work."""
    first = await books.use(DECEMBER)
    assert await books.total(DECEMBER) == first
    await books.invoicing.catch_up()
    second = await books.use(DECEMBER)
    assert await books.total(DECEMBER) == first + second


async def test_a_closed_month_never_changes(books: Books) -> None:
    """Usage that is posted late goes into the first month that is open, and into no other; so it is charged once."""
    first = await books.use(NOVEMBER)
    assert await books.invoicing.close(NOVEMBER) == 1
    late = await books.use(NOVEMBER, usage=Usage(7, 0, 7))
    later = await books.use(DECEMBER)
    for _ in range(2):  # before it is rolled up and after
        november = await books.invoicing.get("a", NOVEMBER)
        assert (november.state, november.number, november.total_nanodollars) == (InvoiceState.FINAL, 1, first)
        assert await books.total(DECEMBER) == late + later
        await books.invoicing.catch_up()
    assert verify(books.database).holds


async def test_months_are_closed_in_order_and_numbered(books: Books) -> None:
    """Closing a month closes those before it; numbers have no gaps; closing again issues nothing."""
    for month in (OCTOBER, NOVEMBER):
        for account in ("b", "a"):
            await books.use(month, account=account)
    assert await books.invoicing.close(NOVEMBER) == 4
    assert await books.invoicing.close(NOVEMBER) == 0
    numbers = {
        (account, str(invoice.month)): invoice.number
        for account in "ab"
        for invoice in await books.invoicing.of_account(account)
    }
    assert numbers == {("a", "2026-10"): 1, ("b", "2026-10"): 2, ("a", "2026-11"): 3, ("b", "2026-11"): 4}
    report = verify(books.database)
    assert (report.holds, report.invoices) == (True, 4)


async def test_a_month_that_runs_cannot_be_closed(books: Books) -> None:
    """Nor one that has not begun; and where nothing was used there is no invoice."""
    with pytest.raises(PreconditionFailed, match="not ended"):
        await books.invoicing.close(DECEMBER)
    with pytest.raises(NotFound):
        await books.invoicing.get("a", DECEMBER)
    assert await books.invoicing.of_account("a") == []


async def test_a_correction_goes_into_the_next_month(books: Books, spending: Spending, review: AccountReview) -> None:
    """A reversal of something that was invoiced is a line of the month in which it is made."""
    await open_account(books.database, books.clock, "a")
    charged = await books.use(NOVEMBER)
    await books.invoicing.close(NOVEMBER)
    await TransferReversal(books.database, books.clock, spending=spending, review=review).reverse("r1")
    invoice = await books.invoicing.get("a", DECEMBER)
    (line,) = invoice.lines
    assert (line.kind, line.subject, line.detail) == (LineKind.ADJUSTMENT, "reversal/r1", "r1")
    assert invoice.total_nanodollars == -charged
    assert await books.total(NOVEMBER) == charged
    assert verify(books.database).holds


async def test_gpu_time_stands_by_deployment(books: Books) -> None:
    """In accelerator-seconds, at the price of an hour; posted twice, charged once."""
    await books.use_gpu(NOVEMBER)
    await books.invoicing.close(NOVEMBER)
    (line,) = (await books.invoicing.get("a", NOVEMBER)).lines
    assert (line.kind, line.subject, line.detail) == (LineKind.GPU_TIME, "accounts/a/deployments/d", "h100")
    assert (line.quantity, line.nanodollars) == (180, 180 * 8_000_000_000 // HOUR_S)
    assert verify(books.database).holds


def tamper(path: Path, statement: str) -> None:
    """Behind the platform's back, with the guards of all tables taken away."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%_are_never_%'")
    for (name,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    changed = connection.execute(statement).rowcount
    connection.commit()
    connection.close()
    assert changed != 0, "nothing was spoiled"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE invoice_lines SET quantity = quantity + 1 WHERE invoice = 1 AND position = 1", "invoice_differs"),
        ("UPDATE invoice_lines SET unit_picodollars = unit_picodollars - 1 WHERE position = 1", "invoice_differs"),
        ("UPDATE invoice_lines SET subject = 'other' WHERE position = 2", "invoice_differs"),
        ("DELETE FROM invoice_lines WHERE position = 3", "invoice_differs"),
        ("UPDATE invoices SET total_nanodollars = total_nanodollars + 1", "invoice_differs"),
        ("UPDATE invoices SET account = 'b'", "invoice_missing"),
        ("UPDATE invoices SET number = 2", "invoice_missing"),
        ("UPDATE closed_months SET usage_sequence = 0", "invoice_differs"),
        ("UPDATE closed_months SET transfer_sequence = 0", "month_differs"),
        ("UPDATE usage_rollups SET nanodollars = nanodollars + 1", "rollup_differs"),
        ("UPDATE usage_rollups SET requests = requests + 1", "rollup_differs"),
        ("UPDATE usage_rollups SET hour = hour + 1", "rollup_differs"),
        ("UPDATE usage_rollups SET billing_month = billing_month + 1", "rollup_differs"),
        ("DELETE FROM usage_rollups", "rollup_differs"),
        ("UPDATE usage_series SET key_id = 'key_2'", "rollup_differs"),
        ("UPDATE watermarks SET sequence = 0 WHERE name = 'usage'", "rollup_differs"),
        ("UPDATE watermarks SET sequence = 0 WHERE name = 'transfers'", "month_differs"),
        ("UPDATE billed_transfers SET billing_month = billing_month + 1", "month_differs"),
        ("DELETE FROM billed_transfers", "month_differs"),
        ("INSERT INTO billed_sums VALUES ('a', 1, 'credit_use', 1)", "month_differs"),
        ("INSERT INTO billed_transfers VALUES ('gpu/none/0', 'b', 1)", "month_differs"),
        ("UPDATE gpu_usage_records SET charge_nanodollars = charge_nanodollars + 1", "charge_differs"),
        ("UPDATE gpu_usage_records SET until_s = until_s + 1", "charge_differs"),
        ("UPDATE gpu_usage_records SET account = 'b'", "transfer_missing"),
        ("UPDATE gpu_usage_records SET accelerator_type = 'b200'", "price_missing"),
        ("DELETE FROM gpu_usage_records", "usage_record_missing"),
        ("DELETE FROM transfers_besides_usage", "transfer_missing"),
        ("UPDATE transfers_besides_usage SET kind = 'gift'", "transfer_malformed"),
        ("UPDATE transfers_besides_usage SET created_ns = 1", "month_differs"),
        ("INSERT INTO billed_sums VALUES ('a', 24322, 'gift', 1)", "month_differs"),
        ("UPDATE transfers_besides_usage SET nanodollars = nanodollars + 1", "charge_differs"),
        ("UPDATE gpu_price_versions SET microdollars_per_hour = 1", "price_altered"),
        ("UPDATE price_versions SET input_picodollars_per_token = 1", "price_altered"),
        ("UPDATE usage_records SET charge_nanodollars = charge_nanodollars - 1", "charge_differs"),
        ("UPDATE usage_records SET finished_ns = finished_ns - 2592000000000000", "invoice_differs"),
        ("UPDATE balances SET nanodollars = nanodollars + 1", "balance_differs"),
    ],
)
async def test_a_contradiction_made_by_hand_is_found(
    books_in_a_file: Books, path: Path, statement: str, found: str
) -> None:
    """In whichever table, by one nano-dollar."""
    books = books_in_a_file
    await books.use(NOVEMBER)
    await books.use_gpu(NOVEMBER)
    await books.invoicing.close(NOVEMBER)
    assert verify(books.database).holds
    tamper(path, statement)
    assert FindingKind(found) in {finding.kind for finding in verify(books.database).findings}


async def test_credits_that_were_used_are_one_line(books: Books, spending: Spending) -> None:
    """However many transfers they came by; what is owed is what they did not cover."""
    charged = [await books.use(NOVEMBER) for _ in range(2)]
    ledger = Ledger(books.database, books.clock)
    for number, nanodollars in enumerate((1_000, 2_500)):
        await ledger.post(
            Transfer(
                id=f"credit_use/{number}",
                debit_account="credits/a",
                credit_account="accounts/a",
                nanodollars=nanodollars,
                kind=TransferKind.CREDIT_USE,
                created_ns=NOVEMBER.start_ns + number,
            )
        )
    await ProjectionRebuild(books.database, books.clock, spending).rebuild()  # these were not posted with charges
    await books.invoicing.close(NOVEMBER)
    invoice = await books.invoicing.get("a", NOVEMBER)
    (line,) = invoice.of_kind(LineKind.CREDIT)
    assert (line.subject, line.detail, line.nanodollars) == ("", "credit_use", -3_500)
    assert invoice.total_nanodollars == sum(charged) - 3_500
    assert "Credits used" in invoice_page(invoice)
    assert verify(books.database).holds
