"""Receipts, and requests that were refused."""

import pytest
from tests.metering.test_usage_report import MODEL, NEW_YEAR_NS, PRICE, USAGE, post

from servery.core.serving_path import Outcome, ServingPath
from servery.metering import receipts
from servery.metering.receipts import Position, Receipt, Receipts
from servery.metering.refused_requests import RefusedRequest, RefusedRequests
from servery.metering.usage_rollup import HOUR_NS, UsageRollup
from servery.store.connection import Connection
from servery.store.database import Database


async def pages(database: Database, account: str, *, size: int) -> list[list[Receipt]]:
    """Page after page, until there are no more."""
    found: list[list[Receipt]] = []
    position: Position | None = Position()
    while position is not None:
        before = position

        def operation(connection: Connection, before: Position = before) -> receipts.ReceiptPage:
            return Receipts().page(connection, account, before=before, size=size)

        page = await database.read(operation)
        found.append(page.receipts)
        position = page.next
    return found


async def test_a_receipt_is_the_record_and_its_price(database: Database) -> None:
    """Found by its account alone."""
    await post(database, 1)
    receipt = await database.read(lambda connection: Receipts().find(connection, "a", "r1"))
    assert receipt is not None
    assert (receipt.model, receipt.price, receipt.usage, receipt.outcome) == (MODEL, PRICE, USAGE, Outcome.COMPLETED)
    assert (receipt.asked_path, receipt.serving_path) == (ServingPath.STANDARD, ServingPath.STANDARD)
    assert receipt.cost_labels == (("team", "team-1"),)
    assert await database.read(lambda connection: Receipts().find(connection, "b", "r1")) is None


@pytest.mark.parametrize("rolled_up_after", [0, 4, 9])
async def test_pages_are_newest_first_without_gaps(
    database: Database, monkeypatch: pytest.MonkeyPatch, rolled_up_after: int
) -> None:
    """Whatever is in the hourly sums, however far apart the requests lie, and of one account alone."""
    monkeypatch.setattr(receipts, "HOURS_AT_ONCE", 2)
    hours = [0, 0, 1, 50, 51, 51, 2_300, 2_300, 2_301]  # the last of them three months later
    for number, hour in enumerate(hours, start=1):
        await post(database, number, finished_ns=NEW_YEAR_NS + hour * HOUR_NS)
        await post(database, 100 + number, account="b", finished_ns=NEW_YEAR_NS + hour * HOUR_NS)
        if number == rolled_up_after:
            await UsageRollup(database).roll_up()
    found = [receipt.request_id for page in await pages(database, "a", size=2) for receipt in page]
    assert found == [f"r{number}" for number in range(9, 0, -1)]
    assert await pages(database, "nobody", size=2) == [[]]


def test_the_last_refused_requests_are_kept() -> None:
    """As many as were asked for, each for its own account."""
    kept = RefusedRequests(most=2)
    for number in range(3):
        kept.add(
            RefusedRequest(
                request_id=f"r{number}",
                account="a",
                key_id="key_1",
                status=503,
                code="SERVER_OVERLOADED",
                message="busy",
                retry_after_s=1.0,
                refused_ns=number,
            )
        )
    assert kept.find("a", "r0") is None
    assert kept.find("b", "r2") is None
    found = kept.find("a", "r2")
    assert found is not None
    assert found.refused_ns == 2
