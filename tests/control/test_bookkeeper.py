"""The bookkeeper: sums in time, months closed once they are over."""

from datetime import UTC, datetime

import pytest
from tests.control.test_invoicing import NOVEMBER, Books

from servery.billing.invoice import InvoiceState
from servery.control.bookkeeper import Bookkeeper
from servery.core.clock import ManualClock
from servery.metering.usage_rollup import UsageRollup
from servery.store.database import Database

GRACE_S = 3_600.0
DECEMBER_NS = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ns=DECEMBER_NS - 60 * 10**9)


async def state(books: Books) -> InvoiceState:
    return (await books.invoicing.get("a", NOVEMBER)).state


async def test_a_month_is_closed_after_its_grace(database: Database, clock: ManualClock) -> None:
    """Not before, and only once its end has been in sight for a while: a clock may be set wrong."""
    books = Books(database, clock)
    keeper = Bookkeeper(books.invoicing, clock, grace_s=GRACE_S, settle_s=300.0)
    await books.use(NOVEMBER)
    for seconds, expected in ((0, "draft"), (70, "draft"), (GRACE_S, "draft"), (299, "draft"), (10, "final")):
        clock.advance(seconds)
        await keeper.look_after()
        assert await state(books) == expected, seconds


async def test_sums_are_kept_up(database: Database, clock: ManualClock) -> None:
    """So that there is nothing left to do for whoever asks; not more often than it is worth."""
    books = Books(database, clock)
    keeper = Bookkeeper(books.invoicing, clock, grace_s=GRACE_S, interval_s=5.0)
    await books.use(NOVEMBER)
    await keeper.look_after()
    assert await UsageRollup(database).roll_up() == 0
    await books.use(NOVEMBER)
    clock.advance(4.0)
    await keeper.look_after()
    assert await UsageRollup(database).roll_up() == 1
