"""``GET /v1/models``: what can be asked for today, in OpenAI's form."""

from datetime import UTC, datetime

import msgspec
from starlette.requests import Request

from servery.billing.budgets import Budgets
from servery.catalog.catalog import Catalog
from servery.catalog.model import Capability
from servery.catalog.offer import Offer
from servery.core.caller import Caller
from servery.core.clock import Clock, utc_date
from servery.core.errors import NotFound


class ListedModel(msgspec.Struct):
    """``created`` is seconds since the Unix epoch."""

    id: str
    created: int
    owned_by: str
    kind: str
    supports_chat: bool
    supports_image_input: bool
    supports_tools: bool
    context_length: int
    object: str = "model"


class ListedModels(msgspec.Struct):
    data: list[ListedModel]
    object: str = "list"


class ModelListEndpoints:
    """Handlers for models and routers alike: whatever may stand in a request's ``model`` field."""

    def __init__(self, catalog: Catalog, clock: Clock, budgets: Budgets) -> None:
        self._catalog = catalog
        self._clock = clock
        self._budgets = budgets

    async def list_all(self, _request: Request, caller: Caller) -> ListedModels:
        await self._require_served(caller)
        return ListedModels([self._listed(offer) for offer in self._offers()])

    async def get(self, request: Request, caller: Caller) -> ListedModel:
        await self._require_served(caller)
        name = request.path_params["name"]
        offer = next((offer for offer in self._offers() if offer.name == name), None)
        if offer is None:
            raise NotFound(f"There is no model {name!r}.", param="model")
        return self._listed(offer)

    async def _require_served(self, caller: Caller) -> None:
        """A suspended account is not shown what it cannot ask. Raises PreconditionFailed."""
        caller.require_unsuspended()
        if not self._budgets.knows(caller.account):
            await self._budgets.learn(caller.account)
        self._budgets.check(caller.account)

    def _offers(self) -> list[Offer]:
        return self._catalog.offers(utc_date(self._clock.wall_ns()))

    def _listed(self, offer: Offer) -> ListedModel:
        model = offer.model
        created = datetime(model.created.year, model.created.month, model.created.day, tzinfo=UTC)
        return ListedModel(
            id=offer.name,
            created=int(created.timestamp()),
            owned_by=self._catalog.account,
            kind="HF_BASE_MODEL" if model.generates else "EMBEDDING_MODEL",
            supports_chat=Capability.CHAT in model.capabilities,
            supports_image_input=Capability.IMAGES in model.capabilities,
            supports_tools=Capability.TOOLS in model.capabilities,
            context_length=model.context_length,
        )
