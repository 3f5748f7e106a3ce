"""The price book: which price is in force now, for everything that is offered.

    catalog's rows  +  the operator's changes  ->  a schedule for each (model, serving path)
    schedule, now   ->  the offer with its price, and the id of the price's version

Batch follows Standard at half, on every dimension, unless the catalog or the operator gives it a price of its own.
"""

from collections.abc import Iterable
from typing import Final

from servery.billing.listed_price import ListedPrice
from servery.billing.price_changes import PriceChange, PriceChanges
from servery.billing.price_versions import PriceVersions
from servery.catalog.catalog import Catalog
from servery.catalog.offer import Offer
from servery.catalog.price_schedule import PriceSchedule, PriceStep
from servery.core.clock import Clock
from servery.core.errors import NotFound
from servery.core.price import Price
from servery.core.serving_path import ServingPath
from servery.store.database import Database

_END_OF_TIME_NS: Final = 2**62 - 1  # in the year 2116; compiled, what is larger is compared as an object

Place = tuple[str, ServingPath]
"""Where a price stands: the id that clients ask for, and the serving path."""


class PriceBook:
    """Consulted on every request, from memory; every price in it has been recorded as a version."""

    def __init__(self, catalog: Catalog, database: Database, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._versions = PriceVersions(database, clock)
        self._changes = PriceChanges(database, clock)
        self._seen_changes = -1
        self._schedules: dict[Place, PriceSchedule] = {}
        self._ids: dict[tuple[str, ServingPath, Price], str] = {}
        self._in_force: dict[Place, Offer] = {}
        self._since_ns = self._until_ns = 0

    async def refresh(self) -> None:
        """Take in what was changed by whatever process. Called before the first use, and then at short intervals."""
        changes = await self._changes.list()
        if len(changes) == self._seen_changes:
            return
        schedules = self._merged(changes)
        for (name, path), schedule in schedules.items():
            for step in schedule.steps:
                self._ids[name, path, step.price] = await self._versions.record(name, path, step.price)
        self._schedules = schedules
        self._seen_changes = len(changes)
        self._look(self._clock.wall_ns())

    def priced(self, offer: Offer, *, wall_ns: int) -> Offer:
        """The catalog's offer at the price that is in force at ``wall_ns``."""
        if not self._since_ns <= wall_ns < self._until_ns:
            self._look(wall_ns)
        return self._in_force[offer.name, offer.path]

    def listed(self, *, wall_ns: int) -> list[ListedPrice]:
        """The whole price list as of ``wall_ns``, in the catalog's order: models, routers, Priority, batch."""
        return [self._row(offer, wall_ns) for offer in self._catalog.priced_offers()]

    async def change(self, name: str, path: ServingPath, price: Price, *, from_ns: int | None) -> PriceChange:
        """Add a change and take it in. Raises NotFound for what has no price to change, and as ``PriceChanges.add``."""
        if (name, path) not in self._schedules:
            raise NotFound(f"{name!r} has no {path.value} price.")
        change = await self._changes.add(name, path, price, from_ns=from_ns)
        await self.refresh()
        return change

    def _row(self, offer: Offer, wall_ns: int) -> ListedPrice:
        schedule = self._schedules[offer.name, offer.path]
        priced = self.priced(offer, wall_ns=wall_ns)
        since_ns = schedule.in_force(wall_ns).from_ns or self._versions.get(priced.price_id).recorded_ns
        return ListedPrice(offer=priced, since_ns=since_ns, next_change=schedule.next_change(wall_ns))

    def _merged(self, changes: Iterable[PriceChange]) -> dict[Place, PriceSchedule]:
        steps: dict[Place, list[PriceStep]] = {}
        for change in changes:
            place = (change.version.model, change.version.serving_path)
            steps.setdefault(place, []).append(PriceStep(change.from_ns, change.version.price))
        schedules: dict[Place, PriceSchedule] = {}
        for offer in self._catalog.priced_offers():
            place = (offer.name, offer.path)
            listed = self._catalog.price_schedule(*place)
            assert listed is not None, "what is offered has a price"
            follows = offer.path is ServingPath.BATCH and not self._catalog.lists_batch(offer.name)
            standard = schedules[offer.name, ServingPath.STANDARD].halved() if follows else listed
            schedules[place] = standard.changed_by(tuple(steps.get(place, ())))
        return schedules

    def _look(self, wall_ns: int) -> None:
        """Find the price in force of every offer, and for how long all of them stand."""
        for offer in self._catalog.priced_offers():
            price = self._schedules[offer.name, offer.path].in_force(wall_ns).price
            price_id = self._ids[offer.name, offer.path, price]
            self._in_force[offer.name, offer.path] = Offer(
                offer.name, offer.model, offer.path, offer.pool, price, price_id=price_id
            )
        moments = [step.from_ns for schedule in self._schedules.values() for step in schedule.steps]
        self._since_ns = max((moment for moment in moments if moment <= wall_ns), default=0)
        self._until_ns = min((moment for moment in moments if moment > wall_ns), default=_END_OF_TIME_NS)
