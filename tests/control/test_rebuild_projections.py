"""What budgets go by: every contradiction made by hand is found, and rebuilding mends it."""

from pathlib import Path

import pytest
from tests.books.sample_usage import CHARGE_NANODOLLARS, post_requests
from tests.control.test_verify_books import finding, tamper

from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.books_report import FindingKind
from servery.control.credit_codes import CreditCodes
from servery.control.credits import Credits
from servery.control.open_account import create_key
from servery.control.rebuild_projections import ProjectionRebuild, RebuiltProjections
from servery.control.reverse_transfer import TransferReversal
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.store.database import Database
from servery.tenancy.account_revision import AccountRevision

GIVEN = 3 * CHARGE_NANODOLLARS + 1
MONTH = "2026-11"


@pytest.fixture
async def books(database: Database, clock: ManualClock, spending: Spending, review: AccountReview) -> Database:
    """Two credits, one of them by a code and taken back; three charges that credit pays for, of which one is reversed,
    and one whose reversal is reversed."""
    key = await create_key(database, clock, "acme", open_if_new=True)
    giving = Credits(database, clock, spending=spending, review=review)
    reversal = TransferReversal(database, clock, spending=spending, review=review)
    await giving.grant("acme", GIVEN)
    code = await CreditCodes(database, clock).create(77)
    redeemed = await giving.redeem("acme", code.code)
    await post_requests(database, clock, key, count=3)
    await reversal.reverse(redeemed.id)
    first, second = (f"chatcmpl-{key.api_key.key_id}-standard-0-0-{number}" for number in (0, 1))
    await reversal.reverse(first)
    undone = await reversal.reverse(second)
    await reversal.reverse(undone.id)
    return database


@pytest.fixture
def rebuild(database: Database, clock: ManualClock, spending: Spending) -> ProjectionRebuild:
    return ProjectionRebuild(database, clock, spending)


def kept(database: Database) -> list[tuple[str | int, ...]]:
    rows = database.reader.execute(
        "SELECT account, sum(charged_nanodollars), sum(credit_used_nanodollars), sum(credit_added_nanodollars), "
        "sum(reversed_nanodollars) FROM spending_months GROUP BY account ORDER BY account"
    ).fetchall()
    return [tuple(row) for row in rows]


async def test_credits_and_corrections_hold(books: Database, rebuild: ProjectionRebuild) -> None:
    """What was posted in turn is what is found again at once: nothing differs, and nothing is to be mended."""
    assert verify(books).findings == ()
    before = kept(books)
    assert before[0][1:] != (0, 0, 0, 0)
    assert await rebuild.rebuild() == RebuiltProjections(balances=0, spending_months=0)
    assert kept(books) == before


@pytest.mark.parametrize("field", ["charged", "credit_used", "credit_added", "reversed"])
async def test_each_sum_of_a_month_is_verified_and_mended(
    books: Database, place: Path | str, rebuild: ProjectionRebuild, field: str
) -> None:
    """One nano-dollar more is found by its name, and is gone afterwards; so is a month that is not there."""
    before = kept(books)
    tamper(place, f"UPDATE spending_months SET {field}_nanodollars = {field}_nanodollars + 1")
    findings = verify(books).findings
    assert {(each.kind, each.subject.split()[-1]) for each in findings} == {(FindingKind.SPENDING_DIFFERS, field)}
    assert await rebuild.rebuild() == RebuiltProjections(balances=0, spending_months=1)
    assert verify(books).findings == ()
    assert kept(books) == before


async def test_lost_projections_come_back(books: Database, place: Path | str, rebuild: ProjectionRebuild) -> None:
    """All of them, from the transfers alone."""
    before = kept(books)
    tamper(place, "DELETE FROM spending_months", "DELETE FROM balances")
    assert not verify(books).holds
    rebuilt = await rebuild.rebuild()
    assert (rebuilt.balances > 0, rebuilt.spending_months) == (True, 1)
    assert verify(books).findings == ()
    assert kept(books) == before


async def test_who_is_corrected_is_read_anew(books: Database, place: Path | str, rebuild: ProjectionRebuild) -> None:
    """By a platform that runs meanwhile: the account's revision says that something about it has changed."""
    revision = AccountRevision()
    seen, _ = revision.changes(books.reader, since=0)
    await rebuild.rebuild()
    assert revision.changes(books.reader, since=seen) == (seen, [])
    tamper(place, "UPDATE spending_months SET charged_nanodollars = charged_nanodollars + 1")
    await rebuild.rebuild()
    assert revision.changes(books.reader, since=seen) == (seen + 1, ["acme"])


async def test_a_month_that_is_another_is_found(books: Database, place: Path | str) -> None:
    """The sums are right in all, but stand in the month before: both months are named."""
    tamper(place, "UPDATE spending_months SET month = month - 1")
    subjects = {each.subject.split()[1] for each in verify(books).findings}
    assert len(subjects) == 2


async def test_a_credit_that_says_something_else_is_found(books: Database, place: Path | str) -> None:
    """The list of credits that an account is shown, against the transfers; and what its code is worth."""
    tamper(place, "UPDATE credit_redemptions SET nanodollars = 78 WHERE nanodollars = 77")
    code, found = verify(books).findings
    assert code.kind is FindingKind.CODE_DIFFERS
    assert found == finding(FindingKind.CREDIT_DIFFERS, found.subject, 77, 78)


async def test_a_code_redeemed_more_often_than_kept_is_found(books: Database, place: Path | str) -> None:
    """Otherwise it could be redeemed again."""
    tamper(place, "UPDATE credit_codes SET redemptions = 0")
    (found,) = verify(books).findings
    assert (found.kind, found.subject.startswith("code-")) == (FindingKind.CODE_DIFFERS, True)
