"""``/v1/accounts/{account}/models``: what is offered, as resources."""

from datetime import date

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from servery.catalog.catalog import Catalog
from servery.catalog.default_sampling import DefaultSampling
from servery.catalog.model import Capability, Model
from servery.core.caller import Caller
from servery.core.clock import Clock, utc_date
from servery.core.errors import NotFound
from servery.core.resource_name import Collection
from servery.web.control.access import account_of
from servery.web.control.listing import Listing


class BaseModelDetails(msgspec.Struct, rename="camel"):
    parameter_count: str


class Day(msgspec.Struct):
    """A date in parts."""

    year: int
    month: int
    day: int


class ModelResource(msgspec.Struct, rename="camel"):
    """A model as it is shown; absent is what it does not have."""

    name: str
    display_name: str
    description: str
    create_time: str
    kind: str
    context_length: int
    supports_image_input: bool
    supports_tools: bool
    supports_serverless: bool
    state: str = "READY"
    public: bool = True
    supports_lora: bool = False
    base_model_details: BaseModelDetails | UnsetType = UNSET
    default_sampling_params: DefaultSampling | UnsetType = UNSET
    deprecation_date: Day | UnsetType = UNSET


class ModelEndpoints:
    """Handlers for models. Those of the platform's account are for everybody; other accounts have none yet."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """All models of the account, also those past their deprecation date."""
        seen = self._catalog.models() if self._is_for_everybody(request) else self._of_another(request, caller)
        today = self._today()
        return Listing(request, ModelResource).response("models", seen, lambda model: _shown(model, today))

    async def get(self, request: Request, caller: Caller) -> ModelResource:
        if not self._is_for_everybody(request):
            account_of(request, caller)
        account, id_ = request.path_params["account"], request.path_params["model"]
        model = self._catalog.model(f"accounts/{account}/{Collection.MODELS.value}/{id_}")
        if model is None:
            raise NotFound(f"There is no model accounts/{account}/models/{id_}.")
        return _shown(model, self._today())

    def _is_for_everybody(self, request: Request) -> bool:
        return bool(request.path_params["account"] == self._catalog.account)

    def _of_another(self, request: Request, caller: Caller) -> list[Model]:
        account_of(request, caller)
        return []

    def _today(self) -> date:
        return utc_date(self._clock.wall_ns())


def _shown(model: Model, today: date) -> ModelResource:
    size, end = model.parameter_count, model.deprecation_date
    return ModelResource(
        name=model.name,
        display_name=model.display_name,
        description=model.description,
        create_time=f"{model.created.isoformat()}T00:00:00Z",
        kind="HF_BASE_MODEL" if model.generates else "EMBEDDING_MODEL",
        context_length=model.context_length,
        supports_image_input=Capability.IMAGES in model.capabilities,
        supports_tools=Capability.TOOLS in model.capabilities,
        supports_serverless=model.is_offered(today),
        base_model_details=UNSET if size is None else BaseModelDetails(str(size)),
        default_sampling_params=UNSET if model.sampling == DefaultSampling() else model.sampling,
        deprecation_date=UNSET if end is None else Day(end.year, end.month, end.day),
    )
