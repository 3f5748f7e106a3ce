"""Lists in pages, as the database gives them: of ten thousand rows, while others are added and taken away."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import pytest

from servery.billing.spend_tiers import USUAL_TIERS
from servery.billing.spending import OPERATOR, Spending
from servery.control.account_review import AccountReview
from servery.control.credit_codes import CreditCodes
from servery.control.credits import Credits
from servery.core.clock import ManualClock
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.place_in_list import BEFORE_ALL_AGES, BEFORE_ALL_NAMES
from servery.store.sql import load_queries
from servery.tenancy.accounts import Accounts
from servery.tenancy.api_keys import ApiKeys
from servery.tenancy.users import Users

ROWS = 10_000
ACCOUNT = "INSERT INTO accounts (id, display_name, spend_tier, created_ns) VALUES (:id, '', 1, :created_ns)"
USER = """
INSERT INTO users (account, id, display_name, email, role, service_account, created_ns)
VALUES ('a', :id, '', '', 'user', FALSE, :created_ns)
"""
KEY = """
INSERT INTO api_keys (key_id, account, user_id, display_name, prefix, created_ns, admin, secret_sha256)
VALUES (:id, 'a', 'first', '', 'sv_', :created_ns, FALSE, :secret)
"""
CREDIT = """
INSERT INTO credit_redemptions (id, account, nanodollars, description, created_ns)
VALUES (:id, 'a', 1, '', :created_ns)
"""
CODE = """
INSERT INTO credit_codes (
    code_sha256, id, prefix, description, nanodollars, redemptions_max, redemptions, created_ns
)
VALUES (:secret, :id, '', '', 1, 1, 0, :created_ns)
"""

Page = Callable[[Any, int], Awaitable[Sequence[Any]]]


def row(number: int) -> dict[str, object]:
    """Some were made at the same time; names have another order than ages."""
    return {
        "id": f"{number * 7_919 % 1_000_003:07}",
        "created_ns": 1_000 + number // 3,
        "secret": (number + 1_000).to_bytes(32, "big"),
    }


async def insert(database: Database, sql: str, numbers: Sequence[int]) -> None:
    rows = [{key: value for key, value in row(number).items() if f":{key}" in sql} for number in numbers]

    def operation(connection: Connection) -> None:
        connection.executemany(sql, rows)

    await database.write(operation)


async def read(page: Page, start: Any, place: Callable[[Any], Any], meanwhile: Callable[[], Awaitable[None]]) -> Any:
    """All pages of 700; after the third something happens."""
    found: list[Any] = []
    after = start
    for number in range(ROWS):
        some = await page(after, 700)
        found += some
        if len(some) < 700:
            return found
        after = place(some[-1])
        if number == 2:
            await meanwhile()
    raise AssertionError("it has an end")


@pytest.fixture
async def first(database: Database) -> None:
    """An account with a user, to whom all belongs."""

    def operation(connection: Connection) -> None:
        connection.execute("INSERT INTO accounts (id, display_name, spend_tier, created_ns) VALUES ('a', '', 1, 1)")
        connection.execute(USER, {"id": "first", "created_ns": 1})

    await database.write(operation)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("what", ["accounts", "users", "api_keys", "credits", "codes"])
async def test_what_stays_is_seen_once(database: Database, clock: ManualClock, what: str) -> None:
    """In its order, whatever comes and goes before, between and behind the pages."""
    keys, codes = ApiKeys(database, clock), CreditCodes(database, clock)
    spending = Spending(database, clock, writer=OPERATOR)
    review = AccountReview(database, clock, spending=spending, tiers=USUAL_TIERS)
    given = Credits(database, clock, spending=spending, review=review)
    lists: dict[str, tuple[str, Page, Callable[[], Awaitable[int]], str, str]] = {
        "accounts": (ACCOUNT, Accounts(database, clock).page, Accounts(database, clock).count, "accounts", "id"),
        "users": (
            USER, partial(Users(database, clock).page, "a"), partial(Users(database, clock).count, "a"), "users", "id"
        ),
        "api_keys": (KEY, partial(keys.page, "a"), partial(keys.count, "a"), "api_keys", "key_id"),
        "credits": (CREDIT, partial(given.page, "a"), partial(given.count, "a"), "credit_redemptions", "id"),
        "codes": (CODE, codes.page, codes.count, "credit_codes", "id"),
    }  # fmt: skip
    sql, page, count, table, name = lists[what]
    by_name = what == "accounts"
    stays = [number for number in range(ROWS) if number % 10]
    goes = [number for number in range(ROWS) if number % 10 == 0]
    await insert(database, sql, [*stays, *goes])

    async def meanwhile() -> None:
        names = [str(row(number)["id"]) for number in goes]
        deleted = f"DELETE FROM {table} WHERE {name} = :id"

        def operation(connection: Connection) -> None:
            connection.executemany(deleted, [{"id": each} for each in names])

        await database.write(operation)
        await insert(database, sql, [*range(-300, 0), *range(ROWS, ROWS + 300)])

    def place(item: Any) -> Any:
        return (item.id,) if by_name else (item.created_ns, getattr(item, name))

    before = await count()
    found = await read(page, BEFORE_ALL_NAMES if by_name else BEFORE_ALL_AGES, place, meanwhile)
    assert await count() == before - len(goes) + 600
    places = [place(item) for item in found]
    assert places == sorted(set(places))
    names = [each[-1] for each in places]
    wanted = {str(row(number)["id"]) for number in stays}
    assert wanted <= set(names)


async def test_a_page_is_read_by_index(path: Any) -> None:
    """SQLite puts nothing in order that an index has in order, and begins where the page begins."""
    pages = [
        ("servery.tenancy", "accounts.sql", "page_of_accounts", "id>?"),
        ("servery.tenancy", "users.sql", "page_of_users", "(created_ns,id)>(?,?)"),
        ("servery.tenancy", "api_keys.sql", "page_of_api_keys", "(created_ns,key_id)>(?,?)"),
        ("servery.control", "credits.sql", "page_of_credits", "(created_ns,id)>(?,?)"),
        ("servery.control", "credits.sql", "page_of_codes", "(created_ns,id)>(?,?)"),
    ]
    values = dict.fromkeys(("account", "user", "after", "after_ns", "after_id", "most"), 1)
    async with Database.open(path) as database:
        for package, file, name, bound in pages:
            plan = database.reader.execute(f"EXPLAIN QUERY PLAN {load_queries(package, file)[name]}", values).fetchall()
            assert len(plan) == 1, plan
            assert bound in plan[0][3], plan
