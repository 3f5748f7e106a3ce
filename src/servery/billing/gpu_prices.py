"""GPU price versions: every price of an accelerator's hour that anything was ever charged by, kept for good."""

import hashlib

import msgspec

from servery.core.clock import Clock
from servery.store.connection import Connection
from servery.store.database import Database
from servery.store.sql import load_queries


class GpuPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What an hour of one accelerator costs, in micro-dollars. ``price_id`` is made of the rest."""

    price_id: str
    accelerator_type: str
    microdollars_per_hour: int

    @property
    def is_intact(self) -> bool:
        """Whether the id still belongs to what stands beside it."""
        return self == gpu_price(self.accelerator_type, self.microdollars_per_hour)


def gpu_price(accelerator_type: str, microdollars_per_hour: int) -> GpuPrice:
    """The price with its id. The same numbers for the same type have the same id."""
    facts = msgspec.json.encode([accelerator_type, microdollars_per_hour])
    return GpuPrice(
        price_id=f"gpuprice_{hashlib.sha256(facts).hexdigest()[:24]}",
        accelerator_type=accelerator_type,
        microdollars_per_hour=microdollars_per_hour,
    )


class GpuPrices:
    """The versions in the database. Only ever added to."""

    def __init__(self, database: Database, clock: Clock) -> None:
        queries = load_queries("servery.billing", "gpu_time.sql")
        self._insert = queries["insert_gpu_price"]
        self._database = database
        self._clock = clock

    async def record(self, accelerator_type: str, microdollars_per_hour: int) -> GpuPrice:
        """Keep a price, unless the very same is kept already."""
        price = gpu_price(accelerator_type, microdollars_per_hour)
        values = {**msgspec.structs.asdict(price), "recorded_ns": self._clock.wall_ns()}
        await self._database.write(lambda connection: connection.execute(self._insert, values).rowcount)
        return price


def gpu_prices(connection: Connection) -> list[GpuPrice]:
    """All versions, also those that were altered by hand."""
    rows = connection.execute(load_queries("servery.billing", "gpu_time.sql")["gpu_prices"]).fetchall()
    return [
        GpuPrice(price_id=price_id, accelerator_type=kind, microdollars_per_hour=amount)
        for price_id, kind, amount in rows
    ]
