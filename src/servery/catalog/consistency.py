"""Whether the parts of a catalog fit each other."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from servery.catalog.document import Path
from servery.catalog.engine import EmbeddedEngine, UrlEngine
from servery.catalog.model import Capability, Model
from servery.catalog.pool import Pool
from servery.catalog.price_row import PriceRow, PriceRows, rows_of
from servery.catalog.router import Router
from servery.core.engine_family import EngineFamily
from servery.core.engine_features import honoured_by
from servery.core.serving_path import ServingPath

NOTICE: Final = timedelta(days=14)
"""How long before its end a model's deprecation is announced at the least."""


class Consistency:
    """The faults and warnings of a catalog, each with the path of the field that it is about.

    A fault is what would break or mischarge a request; a warning is what tenants would rather not meet.
    """

    def __init__(
        self, pools: Mapping[str, Pool], models: Mapping[str, Model], routers: Mapping[str, Router], today: date
    ) -> None:
        self.faults: list[tuple[Path, str]] = []
        self.warnings: list[tuple[Path, str]] = []
        self._pools = pools
        self._models = models
        for id_, pool in pools.items():
            self._check_pool(("pools", id_), pool)
        for id_, model in models.items():
            self._check_model(("models", id_), model)
            self._check_end(("models", id_), model, today)
        for id_, router in routers.items():
            self._check_router(("routers", id_), router)
        used = {model.pool for model in models.values()} | {router.pool for router in routers.values()}
        for id_ in pools.keys() - used:
            self.warnings.append((("pools", id_), "no model and no router uses this pool; it is started all the same"))

    def _check_pool(self, path: Path, pool: Pool) -> None:
        if isinstance(pool.engine, UrlEngine) and pool.replicas is not None:
            self.faults.append(((*path, "replicas"), "each URL is one replica: leave this out"))
        if pool.hedge_after_s is not None and pool.replica_count == 1:
            self.warnings.append(((*path, "hedge_after_s"), "there is no second replica to send a request to"))
        places: list[Path] = [(*path, "engine"), *((*path, "also", number) for number in range(len(pool.also)))]
        seen: set[str] = set()
        for place, engine in zip(places, pool.engines, strict=True):
            if isinstance(engine, UrlEngine):
                if len(seen | set(engine.urls)) < len(seen) + len(engine.urls):
                    self.faults.append(((*place, "urls"), "a URL is given twice"))
                seen.update(engine.urls)
                self._check_slots((*place, "slots"), engine)
            own = engine.concurrency if isinstance(engine, UrlEngine) else None
            if engine.slots is not None and (own or pool.concurrency) > engine.slots:
                message = f"a replica has {engine.slots} slots and serves no more requests than that at once"
                self.faults.append((((*place, "concurrency") if own else (*path, "concurrency")), message))

    def _check_slots(self, path: Path, engine: UrlEngine) -> None:
        if engine.family is not EngineFamily.LLAMA_CPP:
            if engine.slots is not None:
                self.faults.append((path, f"only llama.cpp has slots; {engine.family.value} has not"))
        elif engine.slots is None:
            message = "not given: all accounts share these engines' prompt caches, and see each other's cached tokens"
            self.warnings.append((path, message))

    def _check_model(self, path: Path, model: Model) -> None:
        prices = model.price_rows
        for name, rows in {"standard": prices.standard, "priority": prices.priority, "batch": prices.batch}.items():
            self._check_output((*path, "prices", name), model, rows)
        if prices.batch is None:
            try:
                prices.of(ServingPath.BATCH)
            except ValueError as error:
                self.faults.append(
                    ((*path, "prices", "standard"), f"batch costs half of this, and {error}: list batch")
                )
        pool = self._pool((*path, "pool"), model.pool)
        if pool is not None:
            self._check_fit(path, model, pool)

    def _check_output(self, path: Path, model: Model, rows: PriceRows | None) -> None:
        for place, row in enumerate(rows_of(rows)):
            if model.generates and row.output is None:
                at = path if isinstance(rows, PriceRow) else (*path, place)
                self.faults.append(((*at, "output"), "missing: this model generates tokens"))

    def _check_end(self, path: Path, model: Model, today: date) -> None:
        end = model.deprecation_date
        if end is None:
            return
        if end < model.created:
            self.faults.append(((*path, "deprecation_date"), f"is before the model was created ({model.created})"))
        elif end < today:
            self.warnings.append(((*path, "deprecation_date"), "has passed: the model answers 404"))
        elif end < today + NOTICE:
            days = (end - today).days
            message = f"is {days} days ahead; announce an end at least {NOTICE.days} days before"
            self.warnings.append(((*path, "deprecation_date"), message))

    def _check_router(self, path: Path, router: Router) -> None:
        model = self._models.get(router.model)
        if model is None:
            self.faults.append(((*path, "model"), f"there is no model {router.model!r}"))
            return
        if router.serving_path in {ServingPath.PRIORITY, ServingPath.BATCH}:
            way = "by service_tier" if router.serving_path is ServingPath.PRIORITY else "by batch jobs"
            message = (
                f"{router.serving_path.value.capitalize()} is asked for {way}, not by a router: give standard or fast"
            )
            self.faults.append(((*path, "serving_path"), message))
        elif router.prices is None and model.price_rows.of(router.serving_path) is None:
            self.faults.append(((*path, "prices"), f"missing: the model has no {router.serving_path.value} price"))
        self._check_output((*path, "prices"), model, router.prices)
        pool = None if router.pool is None else self._pool((*path, "pool"), router.pool)
        if pool is not None:
            self._check_fit(path, model, pool)

    def _pool(self, path: Path, name: str) -> Pool | None:
        pool = self._pools.get(name)
        if pool is None:
            self.faults.append((path, f"there is no pool {name!r}"))
        return pool

    def _check_fit(self, path: Path, model: Model, pool: Pool) -> None:
        """Whether the pool's engines can do what the model promises; only an embedded one is known well enough."""
        self._check_sampling(path, model, pool)
        for engine in pool.engines:
            if not isinstance(engine, EmbeddedEngine):
                continue
            if model.context_length > engine.context_length:
                message = f"the slots of pool {pool.name!r} hold {engine.context_length} tokens"
                self.faults.append((self._nearest(path, "context_length"), message))
            if Capability.EMBEDDINGS in model.capabilities and not engine.embeddings:
                message = f"embeddings need a pool whose engine has embeddings: true; {pool.name!r} has not"
                self.faults.append((self._nearest(path, "capabilities"), message))

    def _check_sampling(self, path: Path, model: Model, pool: Pool) -> None:
        """What an engine's family does not know is refused to a request, and so to the model."""
        for family in sorted({engine.family for engine in pool.engines}):
            for name in sorted(model.sampling.given().keys() - honoured_by(family)):
                unknown_to = f"not supported by the {family.value} engines of pool {pool.name!r}"
                if path[0] == "models":
                    self.faults.append(((*path, "sampling", name), unknown_to))
                else:
                    self.faults.append(((*path, "pool"), f"the model's sampling.{name} is {unknown_to}"))

    @staticmethod
    def _nearest(path: Path, field: str) -> Path:
        """A router has no such field of its own: what misfits there is its pool."""
        return (*path, field if path[0] == "models" else "pool")
