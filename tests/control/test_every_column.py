"""Whatever of the money in the database is changed by hand, verification tells of it.

``MONEY`` names every column that bears money, with the ways in which it is spoiled, row by row; ``BESIDES`` every other
column, with the reason why nothing in the books can contradict it. A column that is in neither fails the test.
"""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.control.full_books import MODELS, FullBooks
from tests.control.spoiling import Spoiler

from servery.billing.spending import Spending
from servery.control.account_review import AccountReview
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.store.database import Database

EVERY_ROW = os.environ.get("EVERY_ROW") == "1"

AMOUNT = ("{c} + 1", "{c} - 1", "0", "-{c}", "2 * {c}")
COUNT = ("{c} + 1", "{c} - 1", "-1 - {c}")
MOMENT = ("{c} + 3456000000000000", "{c} - 3456000000000000")  # forty days
OWNER = ("CASE {c} WHEN 'a' THEN 'b' ELSE 'a' END", "'nobody'")
PLACE = ("replace({c}, '/a', '/z')", "replace({c}, '/b', '/z')", "'elsewhere'")
MODEL = (f"CASE {{c}} WHEN '{MODELS[0]}' THEN '{MODELS[1]}' ELSE '{MODELS[0]}' END", "'m'")
PATH = ("CASE {c} WHEN 'standard' THEN 'priority' ELSE 'standard' END", "'x'")
PRICE = ("(SELECT max(price_id) FROM {t} AS other WHERE other.price_id <> {t}.price_id)", "'price_none'")
OTHER = ("{c} || 'x'", "''")
MONTH = ("{c} + 1", "{c} - 1", "0")

MONEY: dict[str, dict[str, tuple[str, ...]]] = {
    "usage_records": {
        "account": OWNER,
        "key_id": ("(SELECT min(key_id) FROM api_keys AS other WHERE other.key_id <> {t}.key_id)",),
        "model": MODEL,
        "serving_path": PATH,
        "price_id": PRICE,
        "prompt_tokens": COUNT,
        "cached_prompt_tokens": COUNT,
        "generated_tokens": COUNT,
        "reasoning_tokens": ("{c} + 1000", "-1"),
        "finished_ns": MOMENT,
        "charge_nanodollars": AMOUNT,
    },
    "transfers_besides_usage": {
        "id": OTHER,
        "debit_account": PLACE,
        "credit_account": PLACE,
        "nanodollars": AMOUNT,
        "kind": ("'gift'", "'usage'", "'credit'", "'credit_use'", "'credit_return'", "'reversal'", "'gpu_time'"),
        "created_ns": MOMENT,
        "reverses": ("'r1'", "NULL"),
    },
    "balances": {"ledger_account": PLACE, "nanodollars": AMOUNT},
    "price_versions": {
        "price_id": OTHER,
        "model": MODEL,
        "serving_path": PATH,
        "input_picodollars_per_token": AMOUNT,
        "cached_input_picodollars_per_token": AMOUNT,
        "output_picodollars_per_token": AMOUNT,
    },
    "price_changes": {
        "sequence": ("{c} + 10", "4 - {c}"),
        "price_id": PRICE,
        "from_ns": (*COUNT, *MOMENT),
        "recorded_ns": (*COUNT, *MOMENT),
        "seal": (*OTHER, "NULL"),
    },
    "gpu_price_versions": {"price_id": OTHER, "accelerator_type": OTHER, "microdollars_per_hour": AMOUNT},
    "gpu_usage_records": {
        "posting_id": OTHER,
        "run_id": OTHER,
        "account": OWNER,
        "deployment": OTHER,
        "accelerator_type": OTHER,
        "accelerators": AMOUNT,
        "run_started_ns": (*COUNT, *MOMENT),
        "from_s": COUNT,
        "until_s": COUNT,
        "price_id": OTHER,
        "charge_nanodollars": AMOUNT,
    },
    "usage_series": {
        "id": ("{c} + 1", "{c} + 100"),
        "account": OWNER,
        "model": MODEL,
        "serving_path": PATH,
        "price_id": PRICE,
        "key_id": OTHER,
        "cost_labels": ("'[]x'", '\'[["team","ads"]]\''),
    },
    "usage_rollups": {
        "series": ("{c} + 1", "{c} + 100"),
        "billing_month": MONTH,
        "hour": COUNT,
        "requests": AMOUNT,
        "prompt_tokens": AMOUNT,
        "cached_prompt_tokens": AMOUNT,
        "generated_tokens": AMOUNT,
        "nanodollars": AMOUNT,
    },
    "watermarks": {"name": OTHER, "sequence": ("{c} + 100", "{c} - 1", "-1")},
    "billed_transfers": {"transfer_id": OTHER, "account": OWNER, "billing_month": MONTH},
    "billed_sums": {"account": OWNER, "billing_month": MONTH, "kind": OTHER, "nanodollars": AMOUNT},
    "closed_months": {
        "month": MONTH,
        "usage_sequence": ("0", "{c} - 1", "{c} + 4"),
        "transfer_sequence": ("0", "{c} - 1", "{c} + 20"),
    },
    "invoices": {"number": COUNT, "account": OWNER, "month": MONTH, "total_nanodollars": AMOUNT},
    "invoice_lines": {
        "invoice": ("CASE {c} WHEN 1 THEN 2 ELSE 1 END", "{c} + 100"),
        "kind": ("CASE {c} WHEN 'tokens' THEN 'rounding' ELSE 'tokens' END", "'x'"),
        "subject": OTHER[:1],
        "detail": OTHER[:1],
        "serving_path": PATH,
        "token_kind": ("CASE {c} WHEN 'generated' THEN 'cached_prompt' ELSE 'generated' END", "'x'"),
        "price_id": OTHER[:1],
        "quantity": AMOUNT,
        "unit_picodollars": AMOUNT,
        "nanodollars": AMOUNT,
    },
    "spending_months": {
        "account": OWNER,
        "month": MONTH,
        "charged_nanodollars": AMOUNT,
        "credit_used_nanodollars": AMOUNT,
        "credit_added_nanodollars": AMOUNT,
        "reversed_nanodollars": AMOUNT,
    },
    "credit_codes": {"id": OTHER, "nanodollars": AMOUNT, "redemptions_max": ("0",), "redemptions": COUNT},
    "credit_redemptions": {
        "id": OTHER,
        "account": OWNER,
        "code_id": ("'code-none'", "NULL"),
        "nanodollars": AMOUNT,
        "created_ns": (*COUNT, *MOMENT),
    },
}

_NOT_MONEY = "is not counted, priced or summed"
_WISH = "is what a person has set; the audit log tells who, when and what"
BESIDES: dict[str, dict[str, str]] = {
    "usage_records": {
        "sequence": "is an order; only on which side of a mark it lies bears money",
        "request_id": "is a name; what was reversed is looked up by it",
        "cost_labels": "stand in the series, once it is summed",
        **dict.fromkeys(
            (
                "estimated",
                "outcome",
                "started_ns",
                "replica",
                "queue_wait_us",
                "time_to_first_token_us",
                "asked_path",
                "predicted_cached_prompt_tokens",
                "hedge",
            ),
            _NOT_MONEY,
        ),
    },
    "transfers_besides_usage": {"sequence": "is an order; only on which side of a mark it lies bears money"},
    "balances": {"opened_ns": _NOT_MONEY},
    "price_versions": {"recorded_ns": _NOT_MONEY},
    "gpu_price_versions": {"recorded_ns": _NOT_MONEY},
    "gpu_usage_records": {"sequence": "is an order"},
    "closed_months": {"closed_ns": _NOT_MONEY},
    "invoices": {"issued_ns": _NOT_MONEY},
    "invoice_lines": {"position": "is an order"},
    "spending_months": {"writer": "tells processes apart; the books do not name them"},
    "credit_codes": dict.fromkeys(
        ("code_sha256", "prefix", "description", "expires_ns", "created_ns", "disabled_ns"), _WISH
    ),
    "credit_redemptions": {"description": _NOT_MONEY},
}
OTHER_TABLES: dict[str, str] = {
    "accounts": _WISH,
    "users": _WISH,
    "api_keys": _WISH,
    "custom_limits": _WISH,
    "webhooks": _WISH,
    "audit_logs": "is not derived from anything",
    "money_leases": "is a promise of minutes: what may be charged, not what was",
    **dict.fromkeys(("adaptive_limits", "limit_changes", "shared_limits"), "is about tokens a minute"),
    **dict.fromkeys(("outbox", "deliveries", "notices", "told_states"), "is about messages"),
    **dict.fromkeys(("cut_requests", "configuration_revision", "applied_migrations", "writers"), _NOT_MONEY),
}
HARMLESS: dict[tuple[str, str], tuple[str, ...]] = {
    ("transfers_besides_usage", "id || 'x'"): ("credit_use/%",),
    ("transfers_besides_usage", "created_ns - 3456000000000000"): ("reversal/r5", "reversal/gpu/%"),
}
"""What has no consequence: the name of what credits have paid (the first charge of those that it paid for), and the
moment of a reversal within a month that was closed before."""
IN_THE_SUMS = {"usage_records": "sequence <= 8", "balances": "nanodollars <> 0"}
"""Rows of which single columns (or whose absence) can be told: of usage that is not summed yet, its charge alone is
known twice; that a ledger account has nothing is also said by its absence."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ns=int(datetime(2026, 12, 20, tzinfo=UTC).timestamp()) * 10**9)


@pytest.fixture
async def spoiler(
    database: Database, clock: ManualClock, spending: Spending, review: AccountReview, place: Path | str
) -> AsyncIterator[Spoiler]:
    await FullBooks(database, clock, spending=spending, review=review).fill()
    assert verify(database).findings == ()
    spoiler = Spoiler(place)
    assert verify(database).findings == ()
    yield spoiler
    spoiler.close()


def test_every_column_is_spoken_for(spoiler: Spoiler) -> None:
    """It bears money, or there is a reason why it does not."""
    tables = spoiler.tables()
    assert {name: set(columns) for name, columns in tables.items() if name not in OTHER_TABLES} == {
        name: {*columns, *BESIDES.get(name, {})} for name, columns in MONEY.items()
    }
    assert tables.keys() >= OTHER_TABLES.keys() - {"writers"}


def _rows(spoiler: Spoiler, table: str) -> Iterator[str]:
    """A condition for each row that there is."""
    columns = spoiler.tables()[table]
    for row in spoiler.rows(f"SELECT * FROM {table} WHERE {IN_THE_SUMS.get(table, 'TRUE')}"):
        yield " AND ".join(
            f"{column} IS NULL"
            if value is None
            else f"{column} = " + (str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'")
            for column, value in zip(columns, row, strict=True)
            if not isinstance(value, bytes)
        )


def _statements(spoiler: Spoiler, table: str, row: str) -> Iterator[str]:
    """That the row is gone, that it is there twice, and every change of its columns."""
    yield f"DELETE FROM {table} WHERE {row}"
    yield f"INSERT INTO {table} SELECT * FROM {table} WHERE {row}"
    for column, ways in MONEY[table].items():
        for way in ways:
            value = way.format(c=column, t=table)
            differs = "IS NOT" if spoiler.is_sqlite else "IS DISTINCT FROM"
            but = "".join(f" AND id NOT LIKE '{names}'" for names in HARMLESS.get((table, value), ()))
            yield f"UPDATE {table} SET {column} = {value} WHERE {column} {differs} {value} AND {row}{but}"


def test_what_is_changed_is_found(spoiler: Spoiler, database: Database) -> None:
    """Every column of money, in every way; a row that is gone; and a row that is there twice. Each in one row, which
    another is each time, or with ``EVERY_ROW=1`` in each."""
    unseen = [statement for table in MONEY for statement in _unseen(spoiler, database, table)]
    assert not unseen, f"{len(unseen)} unseen:\n" + "\n".join(unseen)
    assert verify(database).findings == ()


def _unseen(spoiler: Spoiler, database: Database, table: str) -> Iterator[str]:
    by_row = [list(_statements(spoiler, table, row)) for row in _rows(spoiler, table)]
    for number, alike in enumerate(zip(*by_row, strict=True)):
        first = number % len(alike)
        for statement in (*alike[first:], *alike[:first]):
            with spoiler.undone(table):
                done = spoiler.run(statement)
                if done and verify(database).holds:
                    yield statement
            if done and not EVERY_ROW:
                break
