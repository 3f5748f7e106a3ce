"""The catalog: all that is offered, looked up by the name that a client gives."""

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from servery.catalog.gpu_hour import DEFAULT_GPU_HOURS, GpuHours
from servery.catalog.model import Model
from servery.catalog.offer import Offer
from servery.catalog.pool import Pool
from servery.catalog.price_bands import PriceBands
from servery.catalog.price_row import schedule_of
from servery.catalog.price_schedule import PriceSchedule
from servery.catalog.router import Router
from servery.core.errors import InvalidRequest, NotFound
from servery.core.serving_path import Endpoint, ServingPath

NOT_OFFERED: Final = "Model not found, inaccessible, and/or not deployed"


class Catalog:
    """Frozen once made; its parts have been checked against each other (``catalog.reading``).

    ``account`` owns all of it: the first part of each name. ``warnings`` are sentences for the operator.
    """

    def __init__(
        self,
        *,
        account: str,
        pools: Iterable[Pool],
        models: Iterable[Model],
        routers: Iterable[Router] = (),
        gpu_hours: GpuHours = DEFAULT_GPU_HOURS,
        price_bands: PriceBands | None = None,
        warnings: Iterable[str] = (),
    ) -> None:
        self.account = account
        self.pools: Mapping[str, Pool] = MappingProxyType({pool.name: pool for pool in pools})
        self.warnings = tuple(warnings)
        self._models = {model.name: model for model in models}
        self._routers = {router.name: router for router in routers}
        self.gpu_hours = gpu_hours
        self.price_bands = price_bands or PriceBands()
        self._schedules: dict[tuple[str, ServingPath], PriceSchedule] = {}
        self._offers = self._on_path(ServingPath.STANDARD) | {
            router.name: self._routed(router) for router in self._routers.values()
        }
        self._priority = self._on_path(ServingPath.PRIORITY)
        self._batch = self._on_path(ServingPath.BATCH)

    def offer(self, name: str, endpoint: Endpoint, *, priority: bool, today: date) -> Offer:
        """What ``name`` means to a client who asks ``endpoint`` of it on ``today`` (UTC).

        ``priority`` is met where the model has a Priority price; anything else is served as without it. Raises
        NotFound for a name that is unknown, bare or past its deprecation date, InvalidRequest where the model does
        not answer that endpoint.
        """
        offer = self._priority.get(name) if priority else None
        if offer is None:
            offer = self._offers.get(name)
        if offer is None or (offer.model.deprecation_date is not None and not offer.model.is_offered(today)):
            raise NotFound(NOT_OFFERED, param="model")
        if endpoint not in offer.endpoints:
            able = ", ".join(sorted(offer.model.capabilities))
            raise InvalidRequest(f"{name} does not answer {endpoint.value}; it can: {able}", param="model")
        return offer

    def model(self, name: str) -> Model | None:
        """The model of that full name, also when it is no longer offered."""
        return self._models.get(name)

    def model_behind(self, name: str) -> Model | None:
        """The model of that name, or the one that the router of that name serves."""
        offer = self._offers.get(name)
        return None if offer is None else offer.model

    def bucket_of(self, model: Model) -> str:
        """By which size models are told apart in prices; "" where the model's size is not known."""
        if model.parameter_count is None:
            return ""
        return self.price_bands.bucket(model.parameter_count, is_moe=model.moe, generates=model.generates)

    def models(self) -> list[Model]:
        """All models in the file's order, also those no longer offered."""
        return list(self._models.values())

    def routers(self) -> list[Router]:
        """All routers in the file's order."""
        return list(self._routers.values())

    def speed_targets(self) -> dict[str, float]:
        """Tokens per second that each stream is promised, by pool: of Fast routers whose pool no model shares."""
        shared = {model.pool for model in self._models.values()}
        return {
            router.pool: router.target_tokens_per_second
            for router in self._routers.values()
            if router.serving_path is ServingPath.FAST and router.pool is not None and router.pool not in shared
        }

    def offers(self, today: date) -> list[Offer]:
        """What may be asked for on ``today`` without Priority: models, then routers, in the file's order."""
        return [offer for offer in self._offers.values() if offer.model.is_offered(today)]

    def priced_offers(self) -> list[Offer]:
        """Every offer that has a price of its own, on every serving path, also those no longer offered."""
        return [*self._offers.values(), *self._priority.values(), *self._batch.values()]

    def price_schedule(self, name: str, path: ServingPath) -> PriceSchedule | None:
        """What the file lists for ``name`` (a model's or a router's) on ``path``; None where it lists nothing."""
        return self._schedules.get((name, path))

    def lists_batch(self, name: str) -> bool:
        """Whether the model of that name has a batch price of its own, rather than half of Standard."""
        model = self._models.get(name)
        return model is not None and model.price_rows.batch is not None

    def has_priority(self, name: str) -> bool:
        """Whether Priority is served under this name, rather than falling back to Standard."""
        return name in self._priority

    def _routed(self, router: Router) -> Offer:
        model = next(model for model in self._models.values() if model.name.endswith(f"/models/{router.model}"))
        own = None if router.prices is None else schedule_of(router.prices)
        schedule = own or model.price_rows.of(router.serving_path)
        assert schedule is not None, "a router's price was checked when the catalog was read"
        self._schedules[router.name, router.serving_path] = schedule
        return Offer(router.name, model, router.serving_path, router.pool or model.pool, schedule.steps[0].price)

    def _on_path(self, path: ServingPath) -> dict[str, Offer]:
        """The offers of all models that have a price on ``path``."""
        offers = {}
        for name, model in self._models.items():
            schedule = model.price_rows.of(path)
            if schedule is not None:
                self._schedules[name, path] = schedule
                offers[name] = Offer(name, model, path, model.pool, schedule.steps[0].price)
        return offers
