"""What a name means to a client."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from servery.catalog.catalog import Catalog
from servery.catalog.reading import read_catalog
from servery.catalog.source import default_catalog, default_catalog_text
from servery.core.errors import InvalidRequest, NotFound
from servery.core.price import Price
from servery.core.serving_path import Endpoint, ServingPath

TODAY = date(2026, 11, 20)
DEMO = "accounts/servery/models/demo"
FAST = "accounts/servery/routers/demo-fast"
EMBED = "accounts/servery/models/demo-embed"


@pytest.fixture
def catalog() -> Catalog:
    return default_catalog(today=TODAY)


def test_a_model_is_offered_on_its_standard_path(catalog: Catalog) -> None:
    """A model's own name means Standard, at the exact price of its standard row."""
    offer = catalog.offer(DEMO, Endpoint.CHAT, priority=False, today=TODAY)
    assert (offer.name, offer.path, offer.pool) == (DEMO, ServingPath.STANDARD, "shared")
    assert offer.price == Price(100_000, 50_000, 400_000)


def test_priority_is_a_row_and_shares_the_pool(catalog: Catalog) -> None:
    """Asking for Priority changes path and price, not the model nor the pool."""
    standard = catalog.offer(DEMO, Endpoint.CHAT, priority=False, today=TODAY)
    priority = catalog.offer(DEMO, Endpoint.CHAT, priority=True, today=TODAY)
    assert priority.path is ServingPath.PRIORITY
    assert priority.price == Price(150_000, 75_000, 600_000)
    assert (priority.model, priority.pool) == (standard.model, standard.pool)


@pytest.mark.parametrize(("name", "endpoint"), [(EMBED, Endpoint.EMBEDDINGS), (FAST, Endpoint.CHAT)])
def test_priority_falls_back_where_there_is_no_priority_price(catalog: Catalog, name: str, endpoint: Endpoint) -> None:
    """Priority asked of what has no Priority price is served, and charged, as if it had not been asked."""
    asked = catalog.offer(name, endpoint, priority=True, today=TODAY)
    assert asked == catalog.offer(name, endpoint, priority=False, today=TODAY)
    assert not catalog.has_priority(name)


def test_a_router_selects_the_fast_pool_of_the_same_model(catalog: Catalog) -> None:
    """A router's id keeps the model and changes path, pool and price; its name stays the one that was asked."""
    offer = catalog.offer(FAST, Endpoint.COMPLETIONS, priority=False, today=TODAY)
    assert (offer.name, offer.path, offer.pool) == (FAST, ServingPath.FAST, "fast")
    assert offer.model.name == DEMO
    assert offer.price == Price(200_000, 100_000, 800_000)


@pytest.mark.parametrize(
    "name",
    ["demo", "", "accounts/servery/models/none", "accounts/other/models/demo", "accounts/servery/routers/demo", "/"],
)
def test_any_other_name_is_not_found(catalog: Catalog, name: str) -> None:
    """Bare names, unknown ids and another account's names all get the one 404 that names the field."""
    with pytest.raises(NotFound, match="Model not found, inaccessible, and/or not deployed") as refused:
        catalog.offer(name, Endpoint.CHAT, priority=False, today=TODAY)
    assert refused.value.param == "model"


@pytest.mark.parametrize(
    ("name", "endpoint"), [(EMBED, Endpoint.CHAT), (EMBED, Endpoint.COMPLETIONS), (DEMO, Endpoint.EMBEDDINGS)]
)
def test_an_endpoint_beyond_a_models_capabilities_is_refused(catalog: Catalog, name: str, endpoint: Endpoint) -> None:
    """A model that cannot do what an endpoint asks answers 400 with what it can do."""
    with pytest.raises(InvalidRequest, match="it can:"):
        catalog.offer(name, endpoint, priority=False, today=TODAY)


def test_the_account_in_the_ids_can_be_another() -> None:
    """With another platform account an existing client's ids are served unchanged, and the old ones are gone."""
    catalog = default_catalog(today=TODAY, account="acme")
    assert catalog.offer("accounts/acme/models/demo", Endpoint.CHAT, priority=False, today=TODAY)
    with pytest.raises(NotFound):
        catalog.offer(DEMO, Endpoint.CHAT, priority=False, today=TODAY)


def test_a_model_is_served_through_its_last_day_and_not_after() -> None:
    """On the deprecation date a model still answers; from the next day on it and its routers answer 404."""
    last_day = date(2027, 1, 31)
    text = default_catalog_text().replace(
        "created: 2026-11-20", "created: 2026-11-20\n    deprecation_date: 2027-01-31"
    )
    catalog = read_catalog(text, source="s", directory=Path(), today=TODAY)
    for name in (DEMO, FAST):
        assert catalog.offer(name, Endpoint.CHAT, priority=False, today=last_day)
        with pytest.raises(NotFound):
            catalog.offer(name, Endpoint.CHAT, priority=False, today=last_day + timedelta(days=1))
    assert len(catalog.offers(last_day)) == 3
    assert catalog.offers(last_day + timedelta(days=1)) == []
    assert catalog.model(DEMO) is not None, "it is still listed, with its date"


def test_a_fast_router_with_a_pool_of_its_own_has_a_speed_to_keep(catalog: Catalog) -> None:
    """A hundred tokens a second unless it says otherwise; where it shares a model's pool there is nothing to hold."""
    assert catalog.speed_targets() == {"fast": 100.0}
    text = default_catalog_text()
    slower = text.replace("serving_path: fast", "serving_path: fast\n    target_tokens_per_second: 40", 1)
    assert read_catalog(slower, source="x", directory=Path(), today=TODAY).speed_targets() == {"fast": 40.0}
    sharing = text.replace("pool: fast", "pool: shared", 1)
    assert read_catalog(sharing, source="x", directory=Path(), today=TODAY).speed_targets() == {}
