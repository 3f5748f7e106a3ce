"""A router: a model id that selects a serving path."""

from typing import Annotated

import msgspec
from msgspec import Meta

from servery.catalog.price_row import PriceRows, check_days
from servery.core.serving_path import ServingPath


class Router(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``name`` is the full resource name, ``accounts/<account>/routers/<id>``; ``model`` the id of a model of the
    same catalog. What is left out is the model's: its pool; its prices of the same serving path. Of a Fast router with
    a pool of its own ``target_tokens_per_second`` is what its streams are held to.
    """

    name: str
    model: str
    serving_path: ServingPath = ServingPath.FAST
    pool: str | None = None
    prices: PriceRows | None = None
    display_name: str = ""
    target_tokens_per_second: Annotated[float, Meta(gt=0, le=1_000_000)] = 100.0

    def __post_init__(self) -> None:
        check_days(self.prices)
