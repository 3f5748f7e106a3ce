"""Price changes: what an operator adds to the catalog's price lists while the platform runs."""

import hashlib
from typing import Final

import msgspec

from servery.billing.price_versions import PriceVersion, PriceVersions, price_version
from servery.core.clock import Clock
from servery.core.errors import InvalidRequest
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.store.configuration_revision import ConfigurationRevision
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries
from servery.store.watermark import Watermark

PRICE_CHANGES_MARK: Final = "price_changes"
"""The watermark that stands at the last change."""


class PriceChange(msgspec.Struct, frozen=True, kw_only=True):
    """From ``from_ns`` on, the price of ``version``. Of two changes from the same moment the later one stands."""

    version: PriceVersion
    from_ns: int
    recorded_ns: int


def seal(before: str | None, price_id: str, from_ns: int, recorded_ns: int) -> str:
    """A hash of a change and of the seal ``before`` it, by which an altered change gives itself away."""
    return hashlib.sha256(msgspec.json.encode([before or "", price_id, from_ns, recorded_ns])).hexdigest()[:32]


class PriceChanges:
    """The changes in the database. Only ever added to; they stand until a later one, also after a restart."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.billing", "price_changes.sql")
        self._insert = queries["insert_price_change"]
        self._last_seal = queries["last_seal"]
        self._all = queries["price_changes"]
        self._database = database
        self._clock = clock
        self._versions = PriceVersions(database, clock)
        self._revision = ConfigurationRevision()
        self._mark = Watermark(PRICE_CHANGES_MARK)

    async def add(self, model: str, path: ServingPath, price: Price, *, from_ns: int | None = None) -> PriceChange:
        """Keep a change; without ``from_ns`` it is in force at once. Whether the model is known is for the caller to
        check. Raises InvalidRequest for a moment that has passed, and for a Standard price of which half, which is
        what batch costs, would be finer than a price can be."""
        now_ns = self._clock.wall_ns()
        starts_ns = now_ns if from_ns is None else from_ns
        if starts_ns < now_ns:
            raise InvalidRequest("A price cannot change in the past.", param="from")
        if path is ServingPath.STANDARD and any(amount % 2 for amount in price.amounts):
            raise InvalidRequest("Half of a Standard price, what batch costs, must be whole micro-dollars.")
        price_id = await self._versions.record(model, path, price)

        def operation(connection: Connection) -> None:
            before = self._mark.hold(connection)  # one at a time follows the last
            last = connection.execute(self._last_seal).fetchone()
            sealed = seal(last[0] if last else None, price_id, starts_ns, now_ns)
            row = {"price_id": price_id, "from_ns": starts_ns, "recorded_ns": now_ns, "seal": sealed}
            ((sequence,),) = connection.execute(self._insert, row).fetchall()
            self._mark.move(connection, after=before, to=sequence)
            self._revision.bump(connection)

        await self._database.change(operation)
        return PriceChange(version=self._versions.get(price_id), from_ns=starts_ns, recorded_ns=now_ns)

    async def list(self) -> list[PriceChange]:
        """All changes in the order in which they were added."""
        rows = await self._database.look_up(lambda connection: connection.execute(self._all).fetchall())
        return [
            PriceChange(version=price_version(tuple(version)), from_ns=from_ns, recorded_ns=recorded_ns)
            for from_ns, recorded_ns, *version in rows
        ]
