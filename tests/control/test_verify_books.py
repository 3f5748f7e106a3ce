"""Verification: good books hold, and every contradiction made by hand is found."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from tests.child_environment import child_environment

from servery.billing.price_versions import PriceVersions
from servery.billing.rating import rate
from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.books_report import BooksReport, Finding, FindingKind
from servery.control.open_account import open_account
from servery.control.reverse_transfer import TransferReversal
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.cut_requests import keep_cut_requests
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.store.database import Database

MODEL = "accounts/acme/models/small"
PRICE = Price(950_001, 475_003, 4_000_007)
USAGE = Usage(prompt_tokens=1_000, cached_prompt_tokens=100, generated_tokens=37, reasoning_tokens=5)
CHARGE = rate(USAGE, PRICE).nanodollars


SERVES_UNTIL_KILLED = """
import asyncio, itertools, sys
from pathlib import Path
from servery.billing.price_versions import PriceVersions
from servery.core.clock import SystemClock
from servery.core.ids import RequestIds
from servery.core.price import Price
from servery.core.serving_path import Outcome, ServingPath
from servery.core.usage import Usage
from servery.metering.cut_requests import keep_cut_requests
from servery.metering.journal import Journal
from servery.metering.meter import Meter
from servery.metering.usage_record import UsageRecord
from servery.store.database import Database

MODEL, PATH, PRICE = "accounts/acme/models/small", ServingPath.STANDARD, Price(1, 2, 3)

async def main():
    place = sys.argv[1] if sys.argv[1].startswith('postgresql:') else Path(sys.argv[1])
    database, clock = Database.open(place), SystemClock()
    journal = Journal.open(Path(sys.argv[2]))
    price_id = await PriceVersions(database, clock).record(MODEL, PATH, PRICE)
    meter = Meter(database, clock, journal)
    for number in range(3):
        meter.opened(f"endless-{number}", account="a", key_id="k", model=MODEL, path=PATH, replica="r")

    async def client(number):
        for turn in itertools.count():
            request_id = RequestIds().new()
            meter.opened(request_id, account="a", key_id="k", model=MODEL, path=PATH, replica="r")
            await asyncio.sleep(0.005)
            record = UsageRecord(
                request_id=request_id, account="a", key_id="k", model=MODEL, serving_path=PATH, price_id=price_id,
                usage=Usage(turn, 0, number), outcome=Outcome.COMPLETED, started_ns=0, finished_ns=clock.wall_ns(),
                replica="r", queue_wait_us=0,
            )
            await meter.post(record, PRICE)
            print(request_id, flush=True)

    await asyncio.gather(*(client(number) for number in range(50)))

asyncio.run(main())
"""


@pytest.fixture
async def books(
    database: Database, clock: ManualClock, meter: Meter, spending: Spending, review: AccountReview
) -> Database:
    """Three requests of two accounts, one of which was reversed."""
    price_id = await PriceVersions(database, clock).record(MODEL, ServingPath.STANDARD, PRICE)
    for account in ("a", "b"):
        await open_account(database, clock, account)
    for request_id, account in (("r1", "a"), ("r2", "a"), ("r3", "b")):
        record = UsageRecord(
            request_id=request_id,
            account=account,
            key_id="key_1",
            model=MODEL,
            serving_path=ServingPath.STANDARD,
            price_id=price_id,
            usage=USAGE,
            outcome=Outcome.COMPLETED,
            started_ns=1,
            finished_ns=2,
            replica="replica-1",
            queue_wait_us=0,
        )
        await meter.post(record, PRICE)
    await TransferReversal(database, clock, spending=spending, review=review).reverse("r3")
    return database


def tamper(place: Path | str, *statements: str) -> None:
    """Change what the database's own guards forbid, behind the platform's back."""
    if isinstance(place, str):
        with psycopg.connect(place) as owner:
            owner.execute("SET search_path = servery")
            owner.execute("SET session_replication_role = replica")  # no triggers
            owner.execute(
                "ALTER TABLE usage_records DROP CONSTRAINT usage_records_check, DROP CONSTRAINT usage_records_pkey"
            )
            for statement in statements:
                owner.execute(statement)
        return
    connection = sqlite3.connect(place)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for table in ("transfers_besides_usage", "usage_records", "price_versions"):
        connection.execute(f"DROP TRIGGER {table}_are_never_changed")
        connection.execute(f"DROP TRIGGER {table}_are_never_deleted")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def finding(kind: FindingKind, subject: str, expected: int | None = None, found: int | None = None) -> Finding:
    return Finding(kind=kind, subject=subject, expected_nanodollars=expected, found_nanodollars=found)


async def test_good_books_hold(books: Database) -> None:
    """All that was posted is counted."""
    report = verify(books)
    assert report.holds
    assert report.findings == ()
    assert (report.usage_records, report.transfers, report.ledger_accounts) == (3, 4, 3)
    assert report.charged_nanodollars == 3 * CHARGE
    assert report.cut_requests == ()


async def test_empty_books_hold(database: Database) -> None:
    """Nothing contradicts nothing."""
    assert verify(database).holds


async def test_one_nanodollar_in_a_charge_is_found(books: Database, place: Path | str) -> None:
    """With the request's id and both amounts; and the balances that no longer follow."""
    tamper(place, "UPDATE usage_records SET charge_nanodollars = charge_nanodollars + 1 WHERE request_id = 'r1'")
    report = verify(books)
    assert not report.holds
    assert report.findings == (
        finding(FindingKind.CHARGE_DIFFERS, "r1", CHARGE, CHARGE + 1),
        finding(FindingKind.BALANCE_DIFFERS, "accounts/a", 2 * CHARGE + 1, 2 * CHARGE),
        finding(FindingKind.BALANCE_DIFFERS, f"revenue/{MODEL}/standard", -2 * CHARGE - 1, -2 * CHARGE),
        finding(FindingKind.SPENDING_DIFFERS, "a 1970-01 charged", 2 * CHARGE + 1, 2 * CHARGE),
    )


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE usage_records SET cached_prompt_tokens = 1001 WHERE request_id = 'r1'",
            [finding(FindingKind.TOKENS_CONTRADICT, "r1")],
        ),
        (
            "UPDATE usage_records SET model = 'accounts/acme/models/large' WHERE request_id = 'r1'",
            [
                finding(FindingKind.PRICE_OF_ANOTHER_MODEL, "r1"),
                finding(FindingKind.BALANCE_DIFFERS, "revenue/accounts/acme/models/large/standard", -CHARGE, 0),
                finding(FindingKind.BALANCE_DIFFERS, f"revenue/{MODEL}/standard", -CHARGE, -2 * CHARGE),
            ],
        ),
        (
            "UPDATE usage_records SET account = 'b' WHERE request_id = 'r1'",
            [
                finding(FindingKind.BALANCE_DIFFERS, "accounts/a", CHARGE, 2 * CHARGE),
                finding(FindingKind.BALANCE_DIFFERS, "accounts/b", CHARGE, 0),
                finding(FindingKind.SPENDING_DIFFERS, "a 1970-01 charged", CHARGE, 2 * CHARGE),
                finding(FindingKind.SPENDING_DIFFERS, "b 1970-01 charged", 2 * CHARGE, CHARGE),
            ],
        ),
        (
            "DELETE FROM usage_records WHERE request_id = 'r1'",
            [
                finding(FindingKind.BALANCE_DIFFERS, "accounts/a", CHARGE, 2 * CHARGE),
                finding(FindingKind.BALANCE_DIFFERS, f"revenue/{MODEL}/standard", -CHARGE, -2 * CHARGE),
                finding(FindingKind.SPENDING_DIFFERS, "a 1970-01 charged", CHARGE, 2 * CHARGE),
            ],
        ),
        (
            "UPDATE spending_months SET charged_nanodollars = charged_nanodollars - 1 WHERE account = 'b'",
            [finding(FindingKind.SPENDING_DIFFERS, "b 1970-01 charged", CHARGE, CHARGE - 1)],
        ),
        (
            "UPDATE transfers_besides_usage SET nanodollars = 1",
            [
                finding(FindingKind.REVERSAL_DIFFERS, "reversal/r3", CHARGE, 1),
                finding(FindingKind.BALANCE_DIFFERS, "accounts/b", CHARGE - 1, 0),
                finding(FindingKind.BALANCE_DIFFERS, f"revenue/{MODEL}/standard", -3 * CHARGE + 1, -2 * CHARGE),
            ],
        ),
        (
            "UPDATE balances SET nanodollars = nanodollars - 2 WHERE ledger_account = 'accounts/a'",
            [
                finding(FindingKind.BALANCE_DIFFERS, "accounts/a", 2 * CHARGE, 2 * CHARGE - 2),
                finding(FindingKind.BALANCES_DO_NOT_CANCEL, "balances", 0, -2),
            ],
        ),
        (
            "DELETE FROM balances WHERE ledger_account = 'accounts/a'",
            [
                finding(FindingKind.BALANCE_DIFFERS, "accounts/a", 2 * CHARGE, 0),
                finding(FindingKind.BALANCES_DO_NOT_CANCEL, "balances", 0, -2 * CHARGE),
            ],
        ),
    ],
)
async def test_contradictions_are_found(
    books: Database, place: Path | str, statement: str, expected: list[Finding]
) -> None:
    """Exactly what was spoiled is reported."""
    tamper(place, statement)
    assert list(verify(books).findings) == expected


async def test_a_transfer_under_a_requests_id_is_found(books: Database, place: Path | str) -> None:
    """One id stands for one movement of money, whichever table it stands in."""
    tamper(place, "UPDATE transfers_besides_usage SET id = 'r1'")
    assert finding(FindingKind.TRANSFER_TWICE, "r1") in verify(books).findings


@pytest.mark.parametrize("picodollars", [950_000, 10**15])
async def test_an_altered_price_is_found(books: Database, place: Path | str, picodollars: int) -> None:
    """Whatever it was altered to, sense or nonsense, it proves nothing any more."""
    tamper(place, f"UPDATE price_versions SET input_picodollars_per_token = {picodollars}")
    kinds = [each.kind for each in verify(books).findings]
    assert kinds == [FindingKind.PRICE_ALTERED] + 3 * [FindingKind.PRICE_MISSING]


@pytest.mark.parametrize(
    ("index", "table", "expected"),
    [
        ("usage_records_by_request", "usage_records", (FindingKind.USAGE_RECORD_TWICE, "r1")),
        ("transfers_besides_usage_by_id", "transfers_besides_usage", (FindingKind.TRANSFER_TWICE, "reversal/r3")),
    ],
)
async def test_duplicates_are_found(
    books: Database, place: Path | str, index: str, table: str, expected: tuple[FindingKind, str]
) -> None:
    """One id twice, where the index that forbids it was removed."""
    tamper(
        place,
        f"DROP INDEX IF EXISTS {index} {'CASCADE' if isinstance(place, str) else ''}",
        f"CREATE TEMP TABLE copy AS SELECT * FROM {table} WHERE sequence = 1",
        "UPDATE copy SET sequence = sequence + 100",
        "DROP INDEX IF EXISTS transfers_besides_usage_by_reversed",
        f"INSERT INTO {table} {'OVERRIDING SYSTEM VALUE' if isinstance(place, str) else ''} SELECT * FROM copy",
    )
    assert finding(*expected) in verify(books).findings


async def test_verification_reads_one_state(books: Database, meter: Meter) -> None:
    """Examined while others write, good books hold."""
    price_id = books.reader.execute("SELECT price_id FROM price_versions").fetchone()[0]
    examining = asyncio.create_task(asyncio.to_thread(verify, books))
    for number in range(200):
        record = UsageRecord(
            request_id=f"more-{number}",
            account="a",
            key_id="key_1",
            model=MODEL,
            serving_path=ServingPath.STANDARD,
            price_id=price_id,
            usage=USAGE,
            outcome=Outcome.CLIENT_GONE,
            started_ns=1,
            finished_ns=2,
            replica="replica-1",
            queue_wait_us=0,
        )
        await meter.post(record, PRICE)
    assert (await examining).holds


def test_books_hold_after_kill_9(place: Path | str, tmp_path: Path) -> None:
    """A platform is killed in the midst of its work: every request whose posting was acknowledged is charged, the
    open ones are told of and cost nothing, and the books hold."""
    child = subprocess.Popen(
        [sys.executable, "-c", SERVES_UNTIL_KILLED, str(place), str(tmp_path / "journal")],
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )
    assert child.stdout is not None
    acknowledged = {child.stdout.readline().strip() for _ in range(500)}
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read()
    acknowledged.update(rest[: rest.rfind("\n") + 1].split())
    child.stdout.close()
    child.wait()
    report, charged = asyncio.run(_examine(place, Journal.open(tmp_path / "journal")))
    assert report.holds
    assert acknowledged - charged == set()
    opened = {each.request_id for each in report.cut_requests}
    assert opened >= {"endless-0", "endless-1", "endless-2"}
    assert len(opened) <= 3 + 50
    assert not opened & charged


async def _examine(place: Path | str, journal: Journal) -> tuple[BooksReport, set[str]]:
    """As the next start: keep what the journal tells of, then verify."""
    async with Database.open(place) as database:
        await keep_cut_requests(database, ManualClock(), journal.left)
        rows = database.reader.execute("SELECT request_id FROM usage_records").fetchall()
        return verify(database), {request_id for (request_id,) in rows}
