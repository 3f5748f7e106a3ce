"""An offer: the fact that the catalog adds to a request."""

from servery.catalog.model import Model
from servery.core.price import Price
from servery.core.serving_path import Endpoint, ServingPath
from servery.core.value import Value
from servery.core.work_weights import WorkWeights


class Offer(Value):
    """What serves a request, and at which price. ``name`` is the id as the client asked for it (a model's or a
    router's), which is also what limits are counted by; ``path`` is the serving path that is served and charged.

    In a catalog's offers ``price`` is the first that the file lists and ``price_id`` is empty; the price book gives an
    offer the price in force and the id of its version. ``endpoints`` are those that the model answers;
    ``work_weights`` are the ratios of the price. What each request asks of the model is here too, where it costs
    nothing to be read: ``model_name``, ``context_length``, and ``prescribed``, how it draws its tokens when a request
    does not say.
    """

    FIELDS = ("name", "model", "path", "pool", "price", "price_id")
    __slots__ = (*FIELDS, "context_length", "endpoints", "model_name", "prescribed", "work_weights")

    def __init__(
        self, name: str, model: Model, path: ServingPath, pool: str, price: Price, *, price_id: str = ""
    ) -> None:
        self.name = name
        self.model = model
        self.path = path
        self.pool = pool
        self.price = price
        self.price_id = price_id
        self.work_weights = WorkWeights.of(price)
        self.model_name = model.name
        self.context_length: int = model.context_length
        self.prescribed = model.sampling.given()
        self.endpoints = frozenset([endpoint for endpoint in Endpoint if model.answers(endpoint)])
