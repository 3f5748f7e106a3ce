"""The catalog: all that is offered, looked up by the name that a client gives."""

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType

from servery.catalog.model import Model
from servery.catalog.offer import Offer
from servery.catalog.pool import Pool
from servery.catalog.router import Router
from servery.core.errors import InvalidRequest, NotFound
from servery.core.serving_path import Endpoint, ServingPath

NOT_OFFERED = "Model not found, inaccessible, and/or not deployed"


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
        warnings: Iterable[str] = (),
    ) -> None:
        self.account = account
        self.pools: Mapping[str, Pool] = MappingProxyType({pool.name: pool for pool in pools})
        self.warnings = tuple(warnings)
        self._models = {model.name: model for model in models}
        self._routers = {router.name: router for router in routers}
        self._priority = {
            name: Offer(name, model, ServingPath.PRIORITY, model.pool, model.prices.priority.price())
            for name, model in self._models.items()
            if model.prices.priority is not None
        }
        self._offers = {
            name: Offer(name, model, ServingPath.STANDARD, model.pool, model.prices.standard.price())
            for name, model in self._models.items()
        } | {router.name: self._routed(router) for router in self._routers.values()}

    def offer(self, name: str, endpoint: Endpoint, *, priority: bool, today: date) -> Offer:
        """What ``name`` means to a client who asks ``endpoint`` of it on ``today`` (UTC).

        ``priority`` is met where the model has a Priority price; anything else is served as without it. Raises
        NotFound for a name that is unknown, bare or past its deprecation date, InvalidRequest where the model does
        not answer that endpoint.
        """
        offer = self._priority.get(name) if priority else None
        if offer is None:
            offer = self._offers.get(name)
        if offer is None or not offer.model.is_offered(today):
            raise NotFound(NOT_OFFERED, param="model")
        if not offer.model.answers(endpoint):
            able = ", ".join(sorted(offer.model.capabilities))
            raise InvalidRequest(f"{name} does not answer {endpoint.value}; it can: {able}", param="model")
        return offer

    def model(self, name: str) -> Model | None:
        """The model of that full name, also when it is no longer offered."""
        return self._models.get(name)

    def models(self) -> list[Model]:
        """All models in the file's order, also those no longer offered."""
        return list(self._models.values())

    def routers(self) -> list[Router]:
        """All routers in the file's order."""
        return list(self._routers.values())

    def offers(self, today: date) -> list[Offer]:
        """What may be asked for on ``today`` without Priority: models, then routers, in the file's order."""
        return [offer for offer in self._offers.values() if offer.model.is_offered(today)]

    def priced_offers(self) -> list[Offer]:
        """Every offer that has a price of its own, on every serving path, also those no longer offered."""
        return [*self._offers.values(), *self._priority.values()]

    def has_priority(self, name: str) -> bool:
        """Whether Priority is served under this name, rather than falling back to Standard."""
        return name in self._priority

    def _routed(self, router: Router) -> Offer:
        model = next(model for model in self._models.values() if model.name.endswith(f"/models/{router.model}"))
        row = router.prices or model.prices.of(router.serving_path)
        assert row is not None, "a router's price was checked when the catalog was read"
        return Offer(router.name, model, router.serving_path, router.pool or model.pool, row.price())
