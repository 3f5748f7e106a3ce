"""Price changes: each follows the one before it."""

import asyncio
from pathlib import Path

from servery.billing.price_changes import PriceChanges
from servery.billing.price_versions import PriceVersions
from servery.control.verify_books import verify
from servery.core.clock import ManualClock
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.store.connection import Connection
from servery.store.database import Database

MODEL = "accounts/servery/models/m"
UNSEALED = """
INSERT INTO price_changes (price_id, from_ns, recorded_ns) SELECT price_id, 3, 1 FROM price_versions LIMIT 1
"""
MARKED = "UPDATE watermarks SET sequence = (SELECT max(sequence) FROM price_changes) WHERE name = 'price_changes'"


async def add(database: Database, amount: int) -> None:
    price = Price(amount, amount, amount)
    await PriceChanges(database, ManualClock()).add(MODEL, ServingPath.STANDARD, price)


async def test_changes_at_once_take_turns(place: Path | str) -> None:
    """At two gateways: each is sealed after the one that stands before it."""
    async with Database.open(place) as one, Database.open(place) as other:
        await asyncio.gather(*(add((one, other)[number % 2], 2 * number) for number in range(20)))
        assert len(await PriceChanges(one, ManualClock()).list()) == 20
        assert verify(one).findings == ()


async def test_changes_of_before_there_were_seals(database: Database) -> None:
    """They stand before those that have one; one that comes later is told of."""

    def unsealed(connection: Connection) -> None:
        connection.execute(UNSEALED)
        connection.execute(MARKED)

    await PriceVersions(database, ManualClock()).record(MODEL, ServingPath.STANDARD, Price(1, 1, 1))
    for _ in range(2):
        await database.write(unsealed)
    await add(database, 2)
    assert verify(database).findings == ()
    await database.write(unsealed)
    assert [each.subject for each in verify(database).findings] == ["price change 4"]
