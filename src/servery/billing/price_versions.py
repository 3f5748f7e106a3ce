"""Price versions: every price that a request was ever rated by, kept for good."""

import hashlib

import msgspec

from servery.core.clock import Clock
from servery.core.errors import NotFound
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class PriceVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A price as it stood for a model on a serving path. ``model`` is the id that clients ask for."""

    price_id: str
    model: str
    serving_path: ServingPath
    price: Price
    recorded_ns: int


PriceVersionRow = tuple[str, str, str, int, int, int, int]
"""A row of the query ``price_versions``."""


def is_intact(row: PriceVersionRow) -> bool:
    """Whether the id of a stored price version still belongs to what stands beside it."""
    version_id, model, serving_path, *picodollars_per_token, _recorded_ns = row
    return version_id == _price_id(model, serving_path, *picodollars_per_token)


def price_version(row: PriceVersionRow) -> PriceVersion:
    """The price version in an intact row."""
    version_id, model, serving_path, input_price, cached_price, output_price, recorded_ns = row
    return PriceVersion(
        price_id=version_id,
        model=model,
        serving_path=ServingPath(serving_path),
        price=Price(input_price, cached_price, output_price),
        recorded_ns=recorded_ns,
    )


def _price_id(model: str, serving_path: str, *picodollars_per_token: int) -> str:
    """An id made of what it names: processes that never met agree on it, and an altered row gives itself away."""
    facts = msgspec.json.encode([model, serving_path, *picodollars_per_token])
    return f"price_{hashlib.sha256(facts).hexdigest()[:24]}"


def prices_by_id(connection: Connection) -> dict[str, Price]:
    """The price of every version there is."""
    rows = connection.execute(load_queries("servery.billing", "price_versions.sql")["price_versions"]).fetchall()
    return {row[0]: price_version(tuple(row)).price for row in rows}


class PriceVersions:
    """The price versions in the database, with a copy in memory for use on every request. Only ever added to."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.billing", "price_versions.sql")
        self._insert = queries["insert_price_version"]
        self._all = queries["price_versions"]
        self._database = database
        self._clock = clock
        self._by_id: dict[str, PriceVersion] = {}
        self._read()

    async def record(self, model: str, path: ServingPath, price: Price) -> str:
        """Keep the price, and return its id. The same numbers for the same model and path have the same id."""
        version = PriceVersion(
            price_id=_price_id(model, path, *price.amounts),
            model=model,
            serving_path=path,
            price=price,
            recorded_ns=self._clock.wall_ns(),
        )
        if version.price_id not in self._by_id:
            await self._database.write(lambda connection: self._add(connection, version))
            self._read()
        return version.price_id

    def get(self, version_id: str) -> PriceVersion:
        """From memory; from the database when another process has recorded it since. Raises NotFound."""
        if version_id not in self._by_id:
            self._read()
        if version_id not in self._by_id:
            raise NotFound(f"There is no price version {version_id!r}.")
        return self._by_id[version_id]

    def list(self) -> list[PriceVersion]:
        """All price versions, oldest first."""
        self._read()
        return list(self._by_id.values())

    def _add(self, connection: Connection, version: PriceVersion) -> None:
        facts = msgspec.structs.asdict(version)
        facts.pop("price")
        connection.execute(self._insert, {**facts, **dict(zip(Price.FIELDS, version.price.amounts, strict=True))})

    def _read(self) -> None:
        rows = self._database.reader.execute(self._all).fetchall()
        self._by_id = {row[0]: price_version(row) for row in rows}
