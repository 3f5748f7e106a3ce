"""Charges are examined in the database's whole numbers: the same verdict as rating each record."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servery.billing.price_versions import PriceVersions
from servery.billing.rating import rate
from servery.control.books_report import FindingKind
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.core.usage import Usage
from servery.store.database import Database
from servery.store.sql import Query

PRICES = st.integers(0, 10**12) | st.integers(0, 3_000) | st.sampled_from([0, 500, 10**12])
TOKENS = st.integers(0, 10**6) | st.integers(0, 9) | st.sampled_from([0, 3_000_000, 3_000_001])
INSERT = """
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens,
    reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us, time_to_first_token_us,
    cost_labels, charge_nanodollars
)
VALUES (:id, 'a', 'k', 'm', 'standard', :price_id, :prompt, :cached, :generated, 0, :estimated, 'completed', 0, 0, 'r',
        0, NULL, '[]', :charge)
"""

QUERY = Query(INSERT)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(Price, PRICES, PRICES, PRICES),
    st.lists(st.tuples(TOKENS, TOKENS, TOKENS, st.integers(-1, 1)), min_size=1, max_size=40),
)
def test_charges_are_examined_as_they_are_rated(
    new_place: Callable[[], Path | str], price: Price, requests: list[tuple[int, int, int, int]]
) -> None:
    """Exactly the charges that are a nano-dollar off are found, with both amounts, whatever the numbers: the books'
    limits of 64 bits are never in the way."""

    place = new_place()  # the first one on PostgreSQL is made on a loop of its own

    async def scenario() -> None:
        async with Database.open(place) as database:
            price_id = await PriceVersions(database, ManualClock()).record("m", ServingPath.STANDARD, price)
            wrong, rows = set(), []
            for number, (uncached, cached, generated, off) in enumerate(requests):
                charge = rate(Usage(uncached + cached, cached, generated), price).nanodollars
                if charge + off >= 0 and off:
                    wrong.add((f"r{number}", charge, charge + off))
                rows.append(
                    {
                        "id": f"r{number}",
                        "price_id": price_id,
                        "prompt": uncached + cached,
                        "cached": cached,
                        "generated": generated,
                        "charge": max(charge + off, 0),
                        "estimated": False,
                    }
                )

            await database.write(lambda connection: connection.executemany(QUERY, rows).rowcount)
            found = {
                (each.subject, each.expected_nanodollars, each.found_nanodollars)
                for each in verify(database).findings
                if each.kind is FindingKind.CHARGE_DIFFERS
            }
            assert found == wrong

    asyncio.run(scenario())
