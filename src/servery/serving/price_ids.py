"""The recorded id of each offer's price, so that a usage record names the price that was in force."""

from servery.catalog.offer import Offer
from servery.core.serving_path import ServingPath


class PriceIds:
    """Filled at start, once the prices of the catalog are recorded."""

    def __init__(self, ids: dict[tuple[str, ServingPath], str]) -> None:
        self._ids = ids

    def of(self, offer: Offer) -> str:
        return self._ids[offer.name, offer.path]
