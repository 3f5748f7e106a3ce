"""Balances follow usage records: with each group, by exactly what it charges, whoever has added to them before."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.metering.test_meter import PRICE, price_id_of, record

from servery.billing.rating import rate
from servery.billing.spending import Spending
from servery.control.books_report import FindingKind
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.errors import AlreadyExists
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.core.value import changed
from servery.ledger.ledger import Ledger
from servery.metering.posting import Posting, posting
from servery.metering.usage_table import UsageTable
from servery.store.database import Database
from servery.store.sql import Query

BESIDES = Query("""
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens,
    reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us, cost_labels,
    charge_nanodollars
)
VALUES (:request_id, 'a', 'k', 'm', 'standard', :price_id, 1, 0, 1, 0, :estimated, 'completed', 0, 0, 'x', 0, '[]', 7)
""")
PLACES = st.tuples(st.sampled_from("abc"), st.sampled_from(["m", "n"]), st.sampled_from(list(ServingPath)))


class Books:
    """Posts straight to the table, a group at a time."""

    def __init__(self, database: Database, price_id: str) -> None:
        clock = ManualClock()
        self.database = database
        self.ledger = Ledger(database, clock)
        self.price_id = price_id
        self._table = UsageTable(Spending(database, clock, writer="test"))

    def posting(self, request_id: str, place: tuple[str, str, ServingPath], tokens: int) -> Posting:
        account, model, path = place
        one = record(request_id, self.price_id, Usage(tokens, 0, tokens), account=account)
        return posting(changed(one, model=model, serving_path=path), rate(one.usage, PRICE))

    async def post(self, postings: list[Posting]) -> None:
        await self.database.write_grouped(self._table.post_many, postings)

    async def add_besides(self, request_id: str) -> None:
        """As whoever writes to the table without this software's help."""
        values = {"request_id": request_id, "price_id": self.price_id, "estimated": False}
        await self.database.write(lambda connection: connection.execute(BESIDES, values))

    async def assert_they_follow(self) -> None:
        """They are what they come to when they are computed anew."""
        kept = self.ledger.balances_nanodollars()
        assert sum(kept.values()) == 0
        await self.database.write(self.ledger.rebuild_balances_within)
        assert self.ledger.balances_nanodollars() == kept


@pytest.fixture
async def books(database: Database) -> Books:
    return Books(database, await price_id_of(database))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.lists(st.tuples(PLACES, st.integers(0, 50)), max_size=60), max_size=5))
def test_balances_are_the_sums_of_all_records(
    new_place: Callable[[], Path | str], groups: list[list[tuple[tuple[str, str, ServingPath], int]] | None]
) -> None:
    """Groups of any mix of accounts, models and paths, some of them posted again, and (None) rows of somebody else
    between them: after each group all that is there has moved the balances once."""
    place = new_place()  # the first one on PostgreSQL is made on a loop of its own

    async def scenario() -> None:
        numbers = itertools.count()
        async with Database.open(place) as database:
            books = Books(database, await price_id_of(database))
            for group in groups:
                if group is None:
                    await books.add_besides(f"besides-{next(numbers)}")
                    continue
                postings = [books.posting(f"r{next(numbers)}", *each) for each in group]
                await books.post(postings)
                await books.post(postings[:3])
            await books.post([books.posting("last", ("a", "m", ServingPath.STANDARD), 1)])
            await books.assert_they_follow()
            findings = verify(database).findings
            assert not {FindingKind.BALANCE_DIFFERS, FindingKind.MARK_DIFFERS} & {each.kind for each in findings}

    asyncio.run(scenario())


async def test_a_group_that_is_undone_moves_nothing(books: Books) -> None:
    """Of a group with one request of other facts nothing stays, and the next moves its own alone."""
    place = ("a", "m", ServingPath.STANDARD)
    await books.post([books.posting("r1", place, 5)])
    before = books.ledger.balances_nanodollars()
    with pytest.raises(AlreadyExists):
        await books.post([books.posting("r2", place, 5), books.posting("r1", place, 6)])
    assert books.ledger.balances_nanodollars() == before
    await books.post([books.posting("r3", place, 5)])
    assert books.ledger.balance_nanodollars("accounts/a") == 2 * before["accounts/a"]
    await books.assert_they_follow()


async def test_a_record_past_the_mark_is_told_of(books: Books) -> None:
    """Until the next group has moved it, ``verify`` finds what SQLite's table holds beyond the balances; on PostgreSQL
    a trigger has moved it at once."""
    await books.post([books.posting("r1", ("a", "m", ServingPath.STANDARD), 5)])
    await books.add_besides("besides")
    kinds = {each.kind for each in verify(books.database).findings}
    is_sqlite = type(books.database.reader).__module__ == "sqlite3"
    assert ({FindingKind.MARK_DIFFERS, FindingKind.BALANCE_DIFFERS} <= kinds) == is_sqlite
    await books.database.write(books.ledger.rebuild_balances_within)
    await books.post([books.posting("r2", ("b", "m", ServingPath.STANDARD), 5)])
    await books.assert_they_follow()


async def test_a_mark_that_is_lost_is_found_again(books: Books) -> None:
    """Whoever removes it stops nobody from posting, and nothing is moved twice."""
    place = ("a", "m", ServingPath.STANDARD)
    await books.post([books.posting("r1", place, 5)])
    statement = "DELETE FROM watermarks WHERE name = 'balances'"
    await books.database.write(lambda connection: connection.execute(statement))
    await books.post([books.posting("r2", place, 5)])
    await books.assert_they_follow()
