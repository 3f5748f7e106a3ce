"""A model that is offered, as the catalog describes it."""

from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from servery.catalog.default_sampling import DefaultSampling
from servery.catalog.engine import Count
from servery.catalog.price_row import ModelPrices
from servery.catalog.token_limits import TokenLimits
from servery.core.serving_path import Endpoint


class Capability(StrEnum):
    """What a model can be asked for. The first three are also the endpoints at which it answers."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    TOOLS = "tools"
    STRUCTURED_OUTPUT = "structured_output"
    IMAGES = "images"


_NEEDED = {endpoint: Capability(endpoint.value) for endpoint in Endpoint}


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``name`` is the full resource name, ``accounts/<account>/models/<id>``.

    ``moe``: a mixture of experts. Without ``prices`` it costs what its size does; once a catalog is read, each model
    has its prices. After ``deprecation_date`` the model is no longer offered: it answers 404 from the next day on.
    """

    name: str
    pool: str
    context_length: Count
    capabilities: Annotated[frozenset[Capability], Meta(min_length=1)]
    created: date
    prices: ModelPrices | None = None
    display_name: Annotated[str, Meta(max_length=63)] = ""
    description: Annotated[str, Meta(max_length=999)] = ""
    parameter_count: Annotated[int, Meta(ge=1)] | None = None
    moe: bool = False
    sampling: DefaultSampling = DefaultSampling()
    limits: TokenLimits | None = None
    deprecation_date: date | None = None

    @property
    def price_rows(self) -> ModelPrices:
        assert self.prices is not None, "a model without prices was given its band's when the catalog was read"
        return self.prices

    @property
    def generates(self) -> bool:
        return Capability.CHAT in self.capabilities or Capability.COMPLETIONS in self.capabilities

    def answers(self, endpoint: Endpoint) -> bool:
        return _NEEDED[endpoint] in self.capabilities

    def is_offered(self, today: date) -> bool:
        return self.deprecation_date is None or today <= self.deprecation_date
